"""From words to an exit code: parse, load the one command that was asked for, run it, say what went wrong.

Invariant: nothing that a person does wrong ends in a traceback; stdout carries only what was asked for.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

from questd.cli.codes import BROKEN_PIPE, BUG, INTERRUPTED, code_of
from questd.cli.output import Out
from questd.cli.parser import parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = parse(sys.argv[1:] if arguments is None else arguments)
    out = Out(as_json=options.json, quiet=options.quiet, verbose=options.verbose)
    module, _, function = options.place.partition(":")
    try:
        code: int = getattr(import_module(module), function)(options, out)
        sys.stdout.flush()
    except KeyboardInterrupt:
        out.say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough; the interpreter must not complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the last place that can say it in words
        return _told(error, out)
    return code


def _told(error: Exception, out: Out) -> int:
    from questd.cli.telling import tell_error  # noqa: PLC0415 - only for errors

    code = code_of(error)
    if code == BUG or out.verbose:
        import traceback  # noqa: PLC0415

        traceback.print_exception(error)
    if code == BUG:
        out.fault(f"this is a bug in questd: {type(error).__name__}: {error}")
    else:
        tell_error(error, out)
    return code
