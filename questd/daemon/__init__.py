"""The daemon: the composition root, its sockets, its processes."""

from questd.daemon.serve import embedded, serve

__all__ = ["embedded", "serve"]
