"""``serve``."""

import argparse

from questd.cli.opening import home_of
from questd.cli.output import Out


def serve(options: argparse.Namespace, out: Out) -> int:
    """A daemon in the foreground, until a signal ends it."""
    from questd.daemon.serve import serve as serve_daemon  # noqa: PLC0415 - loads the whole daemon

    return serve_daemon(home_of(options).settings, quiet=out.quiet, as_json=out.as_json)
