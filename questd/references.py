"""References of quests built in Python: values that there will be when the quest runs. They print as ``{{ … }}``."""

import re

import msgspec

_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Reference:
    """A value that there will be when the quest runs.

    ``ref["name"]``, ``ref.name`` and ``ref[0]`` go into it.
    """

    __slots__ = ("_expression",)
    __hash__ = object.__hash__
    __iter__ = None
    __contains__ = None

    def __init__(self, expression: str) -> None:
        self._expression = expression

    def __getitem__(self, name: str | int) -> "Reference":
        if isinstance(name, int):
            return Reference(f"{self._expression}[{name}]")
        if _ATTRIBUTE.fullmatch(name):
            return Reference(f"{self._expression}.{name}")
        return Reference(f"{self._expression}[{msgspec.json.encode(name).decode()}]")

    def __getattr__(self, name: str) -> "Reference":
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __str__(self) -> str:
        return f"{{{{ {self._expression} }}}}"

    def __format__(self, spec: str) -> str:
        if spec:
            raise ValueError(f"{self} has no value yet and cannot be formatted with {spec!r}")
        return str(self)

    def __repr__(self) -> str:
        return f"<Reference {self}>"

    def __bool__(self) -> bool:
        raise TypeError(f"{self} has no value until the quest runs: it cannot decide anything here")


class StepReference:
    """A step of a quest being built: ``result`` is what it will give."""

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key

    def __repr__(self) -> str:
        return f"<StepReference {self.key}>"

    @property
    def result(self) -> Reference:
        """What its tool will return."""
        return Reference(f"{self.key}.result")

    @property
    def status(self) -> Reference:
        """How it will end: completed, failed, skipped."""
        return Reference(f"{self.key}.status")

    @property
    def error(self) -> Reference:
        """Why it will have failed, if it does and the quest goes on."""
        return Reference(f"{self.key}.error")

    @property
    def attempts(self) -> Reference:
        """How many attempts it will have taken."""
        return Reference(f"{self.key}.attempts")

    @property
    def agent(self) -> Reference:
        """Who will have done it."""
        return Reference(f"{self.key}.agent")

    @property
    def tool(self) -> Reference:
        """With which tool."""
        return Reference(f"{self.key}.tool")

    @property
    def rounds(self) -> Reference:
        """Its rounds: ``rounds[0].result`` is the first one's."""
        return Reference(f"{self.key}.rounds")
