"""What went wrong, in words: what, where, what to do."""

from questd.cli.output import Out
from questd.client.errors import InvalidInput

FAULTS_SHOWN = 50


def tell_error(error: Exception, out: Out) -> None:
    """One fault, or the list of them."""
    from questd.documents.faults import InvalidDocument  # noqa: PLC0415 - 80 ms, only for errors

    match error:
        case InvalidDocument():
            tell_document(error, out)
        case InvalidInput() if error.faults:
            out.fault("\n  ".join([error.message, *error.faults[:FAULTS_SHOWN]]))
        case _:
            out.fault(str(error))


def tell_document(error: Exception, out: Out) -> None:
    """One line a fault, as compilers write it: FILE:LINE:COLUMN."""
    lines = str(error).splitlines()
    count = "1 fault" if len(lines) == 1 else f"{len(lines)} faults"
    source = getattr(error, "source", "") or "the document"
    out.fault("\n  ".join([f"{source} cannot be run: {count}", *lines]))
