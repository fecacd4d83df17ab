"""Where this process stands: an agent may not start inside the child process of an isolated tool."""

isolated = False
