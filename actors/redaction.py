"""Takes secrets out of what tools say, before anything keeps it. Pure.

A secret is found as it is, as JSON, repr, URL and base64 write it, line by line where it has several, and, where a text was cut
off, by its beginning. What a tool has made of it otherwise cannot be found.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from string import ascii_letters, digits
from typing import Any, Final

from msgspec import Struct, structs

from questd.actors.agent.edge import MESSAGE_MAX, WORD_MAX, checked_lines
from questd.actors.graph import CompiledStep
from questd.actors.mail import AskQuest, AttemptEnded, AttemptWrote
from questd.messages.events import LogLine
from questd.messages.exchange import Cancelled, Completed, Failed, Outcome
from questd.messages.failure import TOO_LARGE, Failure
from questd.messages.payload import PAYLOAD_MAX_BYTES
from questd.runtime.keyring import Keyring

PIECE_MIN: Final = 4
"""So much of the beginning of a secret, at the end of a text that was cut off, is one."""
CUT_MIN: Final = 400
"""A shorter text without an ellipsis was not cut off by anybody."""
LINE_MIN: Final = 12
"""A line of a secret that is shorter may be anybody's."""
_ELLIPSES: Final = ("…", "...")
_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9][0-9.eE+-]*', re.DOTALL)
_ESCAPES: Final = re.compile(r"(?:\\(?:u[0-9a-fA-F]{4}|[^u]))+")
_UNQUOTED: Final = frozenset(ascii_letters + digits + "_.-~")


def secrets_for(
    step: CompiledStep, references: Mapping[str, str], keyring: Keyring
) -> dict[str, str]:
    """The secrets that the arguments of this step are made of, by input. SecretUnavailable names the first that is not there."""
    if not references:
        return {}
    return {name: keyring.value(references[name]) for name in step.inputs if name in references}


def redactor_of(references: Mapping[str, str], keyring: Keyring) -> "Redactor":
    """For all that the quest's secrets may have been: a tool may say what another one was given."""
    return Redactor(
        (name, value)
        for name, reference in references.items()
        for value in keyring.known(reference)
    )


def redacted(message: Any, references: Mapping[str, str], keyring: Keyring) -> Any:
    """What a quest is told, without its secrets."""
    if not references:
        return message
    match message:
        case AttemptEnded(_, outcome):
            outcome = redactor_of(references, keyring).outcome(outcome)
            return structs.replace(message, outcome=outcome)
        case AttemptWrote(epoch, lines):
            return AttemptWrote(epoch, redactor_of(references, keyring).lines(lines))
        case AskQuest(command, reply):
            return AskQuest(redactor_of(references, keyring).command(command), reply)
        case _:
            return message


class Redactor:
    """``values``: name of the input and value, every value that there may be."""

    def __init__(self, values: Iterable[tuple[str, str]]) -> None:
        marks: dict[str, str] = {}
        self._whole: list[tuple[str, str]] = []
        for name, value in values:
            mark = f"[secret {name}]"
            self._whole.append((value, mark))
            for form in _forms(value):
                marks.setdefault(form, mark)
        # The longest first: a form may stand inside another one.
        self._marks = sorted(marks.items(), key=lambda item: -len(item[0]))

    def text(self, text: str) -> str:
        """The text with a mark in the place of each secret."""
        text = self._replaced(text)
        for value, mark in self._whole:
            text = _without_piece(text, value, mark)
        return text

    def json(self, text: bytes) -> bytes:
        """JSON text, its strings and numbers redacted, all else as it was. Where nothing is found, the same object."""
        decoded = text.decode("utf-8", "surrogatepass")
        plain = _ESCAPES.sub(_unescaped, decoded) if "\\" in decoded else decoded
        if not any(form in plain for form, _ in self._marks):
            return text
        redacted = _TOKEN.sub(self._token, decoded)
        return text if redacted == decoded else redacted.encode("utf-8", "surrogatepass")

    def _token(self, found: re.Match[str]) -> str:
        token = found[0]
        if not token.startswith('"'):
            redacted = self._replaced(token)
            return token if redacted == token else json.dumps(redacted)
        content: str = json.loads(token, strict=False) if "\\" in token else token[1:-1]
        redacted = self._replaced(content)
        return token if redacted == content else json.dumps(redacted)

    def _replaced(self, text: str) -> str:
        for form, mark in self._marks:
            if form in text:
                text = text.replace(form, mark)
        return text

    def outcome(self, outcome: Outcome) -> Outcome:
        """How an attempt ended, as it may be written down."""
        match outcome:
            case Completed():
                return self._completed(outcome)
            case Failed(failure=failure, model=model):
                told = self._failure(failure)
                return structs.replace(outcome, failure=told, model=self._model(model))
            case Cancelled():
                return outcome

    def _completed(self, done: Completed) -> Outcome:
        result = self.json(done.result)
        if len(result) > PAYLOAD_MAX_BYTES:
            message = "the result is too large once its secrets are taken out"
            failure = Failure(TOO_LARGE, message, None, False)
            used = done.duration_us, done.tokens, done.cost, self._model(done.model)
            return Failed(done.quest, done.epoch, failure, *used)
        model = self._model(done.model)
        if result is done.result and model == done.model:
            return done
        return structs.replace(done, result=result, model=model)

    def _model(self, model: str | None) -> str | None:
        return None if model is None else self.text(model)[:WORD_MAX]

    def _failure(self, failure: Failure) -> Failure:
        kind = self.text(failure.kind)[:WORD_MAX]
        return structs.replace(failure, kind=kind, message=self.text(failure.message)[:MESSAGE_MAX])

    def command(self, command: Struct) -> Struct:
        """What a person says: payloads and texts."""
        changed: dict[str, Any] = {}
        for field in command.__struct_fields__:
            value = getattr(command, field)
            match value:
                case bytes():
                    changed[field] = self.json(value)
                case str():
                    changed[field] = self._replaced(value)
                case _:
                    pass
        return structs.replace(command, **changed)

    def lines(self, lines: tuple[LogLine, ...]) -> tuple[LogLine, ...]:
        """Log lines, bounded again: a mark may be longer than what it stands for."""
        return checked_lines(
            tuple(LogLine(n.at_us, self.text(n.text), self.json(n.fields)) for n in lines)
        )


def _unescaped(run: re.Match[str]) -> str:
    return str(json.loads(f'"{run[0]}"', strict=False))


def _forms(value: str) -> Iterable[str]:
    """As texts write it. Bytes of a URL or of base64 are those of UTF-8."""
    plain = [value, value.strip(), *(line.strip() for line in value.splitlines())]
    forms = [value, *(each for each in plain if len(each) >= LINE_MIN)]
    data = value.encode()
    forms += [json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]]
    forms += [repr(value)[1:-1], _quoted(value)]
    forms += [base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()]
    return [form for form in dict.fromkeys(forms) if form]


def _quoted(value: str) -> str:
    return "".join(
        char if char in _UNQUOTED else "".join(f"%{byte:02X}" for byte in char.encode())
        for char in value
    )


def _without_piece(text: str, value: str, mark: str) -> str:
    """Was it cut off in the middle of the secret?"""
    ellipsis = next((each for each in _ELLIPSES if text.endswith(each)), "")
    if not ellipsis and len(text) < CUT_MIN:
        return text
    end = len(text) - len(ellipsis)
    begin = value[:PIECE_MIN]
    at = text.find(begin, max(0, end - len(value) + 1), end)
    while at >= 0:
        if value.startswith(text[at:end]):
            return text[:at] + mark + ellipsis
        at = text.find(begin, at + 1, end)
    return text
