"""Tools: a function's signature becomes parameters and schemas; its calls take and give JSON text.

Arguments are checked before the function runs and decoded afresh for each call, so a tool that changes them harms
nobody. A result is JSON text or a Failure that names what JSON cannot say. Knows nothing of threads or sockets.
"""

import inspect
import math
import typing
from collections.abc import Callable, Iterable
from types import CoroutineType, GeneratorType
from typing import Any, cast

import msgspec

from questd.agent.context import Context
from questd.agent.errors import ToolError
from questd.messages.exchange import Parameter, ToolSpec
from questd.messages.failure import EXCEPTION, TOO_LARGE, UNSERIALISABLE, VALIDATION, Failure
from questd.messages.payload import PAYLOAD_MAX_BYTES

MESSAGE_MAX = 4_000
_SIMPLE = (type(None), bool, int, float, str)


class Refusal(Exception):
    """Carries the Failure that an attempt ends with."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Argument(msgspec.Struct, frozen=True):
    """A parameter of the function that callers fill."""

    name: str
    type: Any
    required: bool
    default: Any = None
    positional_only: bool = False


class Tool:
    """A function as a tool. Making one raises TypeError where no caller could ever use it."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        capabilities: tuple[str, ...] = (),
        timeout_ms: int | None = None,
        idempotent: bool = True,
        isolate: bool = False,
        description: str | None = None,
    ) -> None:
        self.function = function
        self.name = name or function.__name__
        self.is_async = _is_async(function)
        self.isolate = isolate
        _refuse_generators(function, self.name)
        hints = _hints(function, self.name)
        self.context_name, self._arguments, any_parameters = _signature(function, hints, self.name)
        self._type = _arguments_type(self.name, self._arguments, strict=not any_parameters)
        self._decode = _decoder(self._type, self.name)
        self.spec = ToolSpec(
            name=self.name,
            parameters=tuple(Parameter(a.name, a.required) for a in self._arguments),
            capabilities=capabilities,
            timeout_ms=timeout_ms,
            idempotent=idempotent,
            input_schema=_schema(self._type),
            output_schema=_schema(hints.get("return", Any)),
            description=description
            or inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0],
            any_parameters=any_parameters,
        )

    def arguments(self, text: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named arguments for the function. Refusal (validation) when they do not fit."""
        try:
            decoded = self._decode(text)
            extra = self._extra(text) if self.spec.any_parameters else {}
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise Refusal(self._invalid(str(error))) from None
        values = msgspec.structs.astuple(decoded)
        positional: list[Any] = []
        named = extra
        for argument, value in zip(self._arguments, values, strict=True):
            if argument.positional_only:
                positional.append(value)
            else:
                named[argument.name] = value
        return tuple(positional), named

    def _extra(self, text: bytes) -> dict[str, Any]:
        known = {argument.name for argument in self._arguments}
        everything = msgspec.json.decode(text, type=dict[str, Any])
        return {name: value for name, value in everything.items() if name not in known}

    def _invalid(self, reason: str) -> Failure:
        shown = ", ".join(_shown(argument) for argument in self._arguments) or "no parameters"
        rest = ", and any other" if self.spec.any_parameters else ""
        return Failure(
            VALIDATION, f"{reason}; {self.name} takes {shown}{rest}"[:MESSAGE_MAX], retryable=False
        )


def encode_result(value: Any, tool: str) -> bytes:
    """JSON text of what a tool returned. Refusal (unserialisable, too_large) when it has none."""
    if isinstance(value, CoroutineType):
        value.close()
        raise Refusal(
            _unserialisable(tool, "it returned a coroutine: write `async def`, or await it")
        )
    if isinstance(value, GeneratorType):
        value.close()
        raise Refusal(_unserialisable(tool, "it returned a generator: return a list"))
    try:
        text = msgspec.json.encode(value, enc_hook=_plain)
        if b"null" in text:
            _refuse_nan(value, tool)
    except Refusal:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a foreign type's hooks raise
        raise Refusal(_unserialisable(tool, describe(error))) from None
    if len(text) > PAYLOAD_MAX_BYTES:
        raise Refusal(too_large(tool, len(text), PAYLOAD_MAX_BYTES))
    return text


def too_large(tool: str, size: int, limit: int) -> Failure:
    """The failure of a result that cannot travel."""
    message = (
        f"{tool} returned {size} bytes of JSON, at most {limit} can be sent;"
        " return less, or a path or URL to the rest"
    )
    return Failure(TOO_LARGE, message, retryable=False)


def failure_of(error: BaseException) -> Failure:
    """The failure that an exception means."""
    if isinstance(error, Refusal):
        return error.failure
    if isinstance(error, ToolError):
        after = error.retry_after
        after_ms = None if after is None else max(0, round(after * 1000))
        return Failure(error.kind, _text(error)[:MESSAGE_MAX], None, error.retryable, after_ms)
    return Failure(EXCEPTION, f"{describe(error)}{_where(error)}", retryable=True)


def describe(error: BaseException) -> str:
    """Type and message, bounded, whatever ``str`` of it does."""
    text = _text(error)
    return f"{type(error).__name__}: {text}"[:MESSAGE_MAX] if text else type(error).__name__


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not hide the failure
        return "(its message cannot be shown)"
    return text.encode("utf-8", "replace").decode()


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f" ({code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} in {code.co_name})"


def _unserialisable(tool: str, reason: str) -> Failure:
    return Failure(UNSERIALISABLE, f"the result of {tool} is no JSON: {reason}", retryable=False)


def _plain(value: Any) -> Any:
    """Let objects that know their own JSON form say it (pydantic's word for it); name the type of all others."""
    dump = getattr(value, "model_dump", None)
    if dump is not None and not isinstance(value, type):
        return dump(mode="json")
    raise TypeError(f"it holds a {value.__class__.__module__}.{value.__class__.__qualname__}")


def _from_plain(kind: Any, value: Any) -> Any:
    """Make what msgspec cannot: instances of pydantic's models, and of nothing else."""
    validate = getattr(kind, "model_validate", None)
    return value if validate is None else validate(value)


def _foreign_schema(kind: Any) -> dict[str, Any]:
    """Allow anything where the type does not say its own schema."""
    schema = getattr(kind, "model_json_schema", None)
    return {"title": kind.__name__} if schema is None else schema()


def _refuse_nan(value: Any, tool: str) -> None:
    """Refuse NaN and infinity: the encoder would silently write null for them."""
    pending: list[Any] = [msgspec.to_builtins(value, enc_hook=_plain)]
    while pending:
        item = pending.pop()
        if isinstance(item, float) and not math.isfinite(item):
            raise Refusal(_unserialisable(tool, f"it holds {item}, which JSON cannot say"))
        pending.extend(_inside(item))


def _inside(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return item.values()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(item, list | tuple | set | frozenset):
        return cast("Iterable[Any]", item)
    return ()


def _is_async(function: Callable[..., Any]) -> bool:
    called = getattr(function, "__call__", None)  # noqa: B004 - an object's own async __call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def _refuse_generators(function: Callable[..., Any], name: str) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"tool {name!r} yields: a tool returns its result; return a list instead")


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    target = function if inspect.isroutine(function) else getattr(function, "__call__")  # noqa: B004, B009
    try:
        return typing.get_type_hints(target, include_extras=True, localns={"Context": Context})
    except NameError as error:
        raise TypeError(
            f"tool {name!r}: {error}; its annotations must name types that its module imports"
        ) from None


def _signature(
    function: Callable[..., Any], hints: dict[str, Any], name: str
) -> tuple[str | None, tuple[Argument, ...], bool]:
    context_name: str | None = None
    arguments: list[Argument] = []
    any_parameters = False
    for parameter in inspect.signature(function).parameters.values():
        kind = hints.get(parameter.name, Any)
        if _is_context(kind, parameter):
            context_name = parameter.name
        elif parameter.kind is parameter.VAR_KEYWORD:
            any_parameters = True
        elif parameter.kind is parameter.VAR_POSITIONAL:
            raise TypeError(
                f"tool {name!r}: arguments have names, so *{parameter.name} is never filled"
            )
        else:
            arguments.append(_argument(parameter, kind))
    return context_name, tuple(arguments), any_parameters


def _is_context(kind: Any, parameter: inspect.Parameter) -> bool:
    if kind is Context or Context in typing.get_args(kind):
        return True
    return kind is Any and parameter.name == "ctx"


def _argument(parameter: inspect.Parameter, kind: Any) -> Argument:
    positional_only = parameter.kind is parameter.POSITIONAL_ONLY
    if parameter.default is parameter.empty:
        return Argument(parameter.name, kind, required=True, positional_only=positional_only)
    return Argument(parameter.name, kind, False, parameter.default, positional_only)


def _arguments_type(
    name: str, arguments: tuple[Argument, ...], *, strict: bool
) -> type[msgspec.Struct]:
    """Make the type of a call's arguments. Fields are a0, a1, …: a parameter may have a name that a Struct may not."""
    fields: list[Any] = []
    for at, argument in enumerate(arguments):
        default = () if argument.required else (_default(argument.default),)
        fields.append((f"a{at}", argument.type, *default))
    rename = {f"a{at}": argument.name for at, argument in enumerate(arguments)}
    return msgspec.defstruct(
        name, fields, rename=rename, kw_only=True, forbid_unknown_fields=strict
    )


def _default(value: Any) -> Any:
    """Put simple defaults into the schema; make all others as Python does, one object for every call."""
    return value if isinstance(value, _SIMPLE) else msgspec.field(default_factory=lambda: value)


def _decoder(kind: Any, name: str) -> Callable[[bytes], Any]:
    try:
        return msgspec.json.Decoder(kind, dec_hook=_from_plain).decode
    except TypeError as error:
        raise TypeError(f"tool {name!r}: {error}") from None


def _schema(kind: Any) -> bytes:
    """Make a JSON Schema; of types that JSON Schema cannot say, the one that allows anything."""
    try:
        schema = msgspec.json.schema(kind, schema_hook=_foreign_schema)
    except (TypeError, NameError, RecursionError):
        return b"{}"
    return msgspec.json.encode(schema)


def _shown(argument: Argument) -> str:
    kind = argument.type
    shown = "" if kind is Any else f": {getattr(kind, '__name__', None) or kind}"
    if argument.required:
        return f"{argument.name}{shown}"
    return f"{argument.name}{shown} = {_short(argument.default)}"


def _short(value: Any) -> str:
    return repr(value) if isinstance(value, _SIMPLE) or value in ([], {}, ()) else "…"
