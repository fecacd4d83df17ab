"""The command line ``quest``. Importing this loads next to nothing: start-up time is part of the interface."""

from questd.cli.main import main

__all__ = ["main"]
