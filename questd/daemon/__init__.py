"""The daemon: the composition root, its sockets, its processes."""
