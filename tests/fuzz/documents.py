"""The document parser under any text: a definition, or ``InvalidDocument`` with its faults; and nothing that it lets through is refused later.

What it takes can be compiled, drawn, written as YAML and as JSON (which read back as the same), and is taken by the daemon.
"""

from pathlib import Path
from typing import Final

from questd.actors.quest.plans import PlanCache
from questd.documents import (
    InvalidDocument,
    draw_mermaid,
    draw_svg,
    draw_text,
    load,
    to_json,
    to_yaml,
)
from questd.messages.definition import QuestDefinition, encode_definition
from questd.simulation.chance import Chance
from tests.fuzz.mutation import changed_text
from tests.fuzz.place import Fault

NAME: Final = "documents"
CASE: Final = Path(__file__).parents[1] / "cases" / "code-review-workflow.yaml"


def change(data: bytes, chance: Chance, words: tuple[bytes, ...]) -> bytes:
    """A text like this one."""
    return changed_text(data, chance, words)


def one(data: bytes) -> None:
    """Fault when the parser does anything else than promised."""
    for name in (None, "x.yaml", "x.json"):
        try:
            definition = load(data, name_hint=name)
        except InvalidDocument as refused:
            _check_refusal(refused)
        else:
            _check_accepted(definition)


def _check_refusal(refused: InvalidDocument) -> None:
    if not refused.faults or not str(refused):
        raise Fault("refused without a fault")
    for fault in refused.faults:
        if not fault.message or len(str(fault)) > 2_000:
            raise Fault(f"a fault that is nothing to read: {str(fault)[:300]!r}")


def _check_accepted(definition: QuestDefinition) -> None:
    for write in (to_yaml, to_json):
        text = write(definition)
        if load(text) != definition:
            raise Fault(f"{write.__name__} reads back as something else:\n{text}")
    for draw in (draw_text, draw_mermaid, draw_svg):
        draw(definition)
    PlanCache().load(encode_definition(definition), trusted=False)


ALL = b"""\
name: all
description: what it is
version: "1.2"
project: p
labels: {team: core, n: "1"}
priority: 3
deadline: 2h
total_timeout: 90m
limits: {parallel: 2, steps: 20}
defaults: {timeout: 10s, retry: {attempts: 5, delay: 1s, backoff: 2.0, max_delay: 1m, jitter: 0.1, no_retry_on: [auth]}}
inputs:
  number: {type: integer, minimum: 0, default: 7}
  text: {type: string, pattern: ^a+$}
steps:
  - key: a
    agent: worker
    tool: work
    with: {n: "{{ number + 1 }}", list: [1, 2.5, null, true, "{{ text }}"]}
    timeout: 5s
    heartbeat_timeout: 2s
    idempotent: false
  - key: b-c
    capability: code
    prompt: |
      {{ a.result.n * 2 }} of {{ inputs.text | length }}
    needs: [a]
    retry: {attempts: 2}
    on_error: continue_with_input
    priority: 7
    parallel: false
output: {all: "{{ a.result }}", last: ["{{ b-c.status }}"]}
"""
SMALL: Final = {
    "smallest": b"name: x\nsteps: [{key: a, agent: b}]",
    "anchors": b"name: x\nsteps:\n- &s {key: a, agent: b, with: &v {x: &n 1}}\n- {key: c, agent: b, with: *v}\noutput: [*n, *v]\n",
    "aliases": b"a: &a [1,1,1]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nname: x\nsteps: [{key: a, agent: b, with: {x: [*c,*c,*c]}}]\n",
    "tags": b'!!map {name: !!str 1, steps: !!seq [{key: !<tag:yaml.org,2002:str> a, agent: ! b, timeout: !!int "5", x: !!python/object:os.system y}]}',
    "scalars": b"name: x\nlabels: {no: on, y: 0o17, z: 0x1f, f: .5e3, i: .inf, n: ~, d: 2001-01-01, b: 0b1, s: 1:30, t: =, m: <<}\nsteps: []\n",
    "folded": b"%YAML 1.2\n---\nname: >-\n  a\n  b\n\n? steps\n: - key: 'it''s'\n    agent: \"\\u00e9\\x41\\\n      b\"\n...\n",
    "json": b'{"name": "x", "steps": [{"key": "a", "agent": "b", "with": {"x": [1, 1.5e3, "\\u00e9\\ud83e\\uddea", null, true]}}]}',
    "cycle": b"name: x\nsteps: [{key: a, agent: w, needs: [b]}, {key: b, agent: w, prompt: '{{ c.result }}'}, {key: c, agent: w, dependencies: [a, a]}]\n",
    "schemas": b"name: x\ninputs: {a: {type: object, properties: {b: {$ref: '#/$defs/c'}}, $defs: {c: {type: [string, 'null']}}, default: {b: 1}}, b: {enum: [1, a]}}\nsteps: [{key: a, agent: w}]\n",
    "later": b"name: x\nsteps: [{key: a, agent: w, for_each: '{{ x }}', gate: {}, ask: q, sleep: 5s, use: t, unknwon: 1}]\non_complete: x\n",
}  # fmt: skip


def seeds() -> dict[str, bytes]:
    """Texts that go deep, by name."""
    return {"all": ALL, "case": CASE.read_bytes(), **SMALL}


WORDS: Final = (
    *(word.encode() for word in QuestDefinition.__struct_fields__), b"key: ", b"agent: ", b"needs: ", b"with: ", b"steps: ", b"prompt: ", b"retry: ",
    b"timeout: ", b"default: ", b"{{ a.result }}", b"{{", b"}}", b"{%", b"- ", b"\n", b"\n  ", b"\n- key: a\n  agent: b\n", b": ", b"? ", b"*a", b"&a ",
    b"<<: ", b"!!str ", b"!!int ", b"!!float ", b"!!binary ", b"|\n  ", b">+2\n  ", b"'", b'"', b"[", b"]", b"{", b"}", b",", b"#", b"---\n", b"...\n", b"%YAML 1.1\n",
    b"%TAG ! x:\n", b"1e999", b"-0", b"0x", b"1" * 30, b"5s", b"1h30m", b"99999999d", b"-1s", b"0.1ms", b"null", b"~", b"true", b"\xef\xbb\xbf", b"\xc2\x85",
    b"\xe2\x80\xa8", b"\\ud800", b"\\u0000", b"\t", b"\r\n", b"\xff", b"stop", b"continue", b"type: ", b"$ref: ", b"'#'", b"pattern: ", b"object", b"string",
)  # fmt: skip
