"""A child of the tests does not outlive them, however they end."""

import os
import threading


def die_with_parent() -> None:
    """Standard input is a pipe whose other end the parent holds."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(9)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
