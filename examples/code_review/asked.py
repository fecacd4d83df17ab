"""What the four agents share: an input that cannot be read is the caller's fault and is not tried again."""

from collections.abc import Iterator
from contextlib import contextmanager

from review.model import UnreadableError

from questd import ToolError


@contextmanager
def refusing() -> Iterator[None]:
    """Tell the quest that its input was wrong, with the words of the one who noticed."""
    try:
        yield
    except UnreadableError as error:
        raise ToolError(str(error), kind="validation") from error
