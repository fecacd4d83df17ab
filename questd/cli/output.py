"""Where a command writes: what was asked for goes to stdout, everything else to stderr.

Invariant: no control code leaves for a stream that is no terminal, and none of a stranger's text reaches one. Rich is loaded only
where something is drawn.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDE: Final = 32_000
"""Columns where nobody looks: a pipe must not cut what it is given."""

_INVISIBLE: Final = {
    code: f"\\x{code:02x}"
    for code in (*range(32), 127, *range(0x80, 0xA0))
    if chr(code) not in "\n\t"
}


def visible(text: str) -> str:
    """The text without control characters, which could make a terminal lie."""
    return text.translate(_INVISIBLE)


def one_line(text: str, limit: int = 200) -> str:
    """The text on one line, cut."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


class Out:
    """What ``--json``, ``--quiet`` and ``--verbose`` ask for, and the two streams."""

    def __init__(
        self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self._console: Console | None = None
        self._errors: Console | None = None

    # -- what was asked for --------------------------------------------------------------------------

    def document(self, value: Any) -> None:
        """One JSON document."""
        sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")

    def line(self, value: Any) -> None:
        """One JSON object on one line, at once."""
        sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def text(self, text: str) -> None:
        """A text as it is; on a terminal without control characters."""
        shown = visible(text) if sys.stdout.isatty() else text
        sys.stdout.write(shown if shown.endswith("\n") else shown + "\n")
        sys.stdout.flush()

    def value(self, value: Any) -> None:
        """A result for people: a text as it is, anything else as JSON."""
        if isinstance(value, str):
            self.text(value)
        else:
            self.text(json.dumps(value, indent=2, ensure_ascii=False))

    def draw(self, *drawn: Any) -> None:
        """Something of rich's; where nobody looks, without the spaces that fill its lines."""
        with self.console.capture() as captured:
            for one in drawn:
                self.console.print(one)
        text = captured.get()
        if not sys.stdout.isatty():
            text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
        sys.stdout.write(text)

    @property
    def console(self) -> "Console":
        """Rich's view of stdout."""
        if self._console is None:
            self._console = console_of(sys.stdout)
        return self._console

    # -- everything else -----------------------------------------------------------------------------

    @property
    def errors(self) -> "Console":
        """Rich's view of stderr."""
        if self._errors is None:
            self._errors = console_of(sys.stderr)
        return self._errors

    @property
    def live(self) -> bool:
        """Whether a moving picture may be drawn on stderr."""
        return not self.quiet and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def say(self, sentence: str, *, style: str = "") -> None:
        """Something that people may want to know."""
        if not self.quiet:
            self._write(sentence, style)

    def fault(self, sentence: str) -> None:
        """Something that went wrong: said also when quiet."""
        if sys.stderr.isatty():
            from rich.text import Text  # noqa: PLC0415

            line = Text.assemble(("quest: ", "bold red"), visible(sentence))
            self.errors.print(line, soft_wrap=True)
        else:
            self._write(f"quest: {sentence}", "")

    def _write(self, sentence: str, style: str) -> None:
        if style and sys.stderr.isatty():
            self.errors.print(styled(sentence, style), soft_wrap=True)
        else:
            sys.stderr.write(visible(sentence) + "\n")
            sys.stderr.flush()


def console_of(stream: TextIO) -> "Console":
    """Rich on a stream; without a terminal it writes plain text and cuts nothing."""
    from rich.console import Console  # noqa: PLC0415 - 30 ms

    terminal = stream.isatty()
    return Console(
        file=stream,
        force_terminal=terminal,
        width=None if terminal else WIDE,
        highlight=False,
        markup=False,
        emoji=False,
    )


def styled(text: str, style: str) -> Any:
    """A piece of text for rich. Markup in it means nothing."""
    from rich.text import Text  # noqa: PLC0415 - 30 ms

    return Text(visible(text), style=style)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()
) -> "Table":
    """A table of texts or rich texts. ``right``: columns of numbers."""
    from rich.table import Table  # noqa: PLC0415 - 30 ms

    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        aligned = "right" if column in right else "left"
        made.add_column(column, justify=aligned, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        made.add_row(*(visible(cell) if isinstance(cell, str) else cell for cell in row))
    return made


def plain(value: Any) -> Any:
    """Views as plain data, for JSON."""
    import msgspec  # noqa: PLC0415 - 15 ms

    return msgspec.to_builtins(value)
