"""What a tool raises on purpose."""


class ToolError(Exception):
    """The tool cannot do it, and says why. ``retry_after`` (seconds) implies that trying again may help."""

    def __init__(
        self,
        message: str,
        *,
        kind: str = "tool_error",
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable or retry_after is not None
        self.retry_after = retry_after
