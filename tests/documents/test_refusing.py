"""Every way in which the fields of a document can be bad, told all at once, with their places."""

import pytest

from questd.documents import Fault, InvalidDocument, load

GOOD = "name: x\nsteps:\n- key: a\n  agent: b\n"


def faults(text: bytes | str, name_hint: str | None = None) -> tuple[Fault, ...]:
    with pytest.raises(InvalidDocument) as caught:
        load(text, name_hint=name_hint)
    return caught.value.faults


def only(text: bytes | str, name_hint: str | None = None) -> Fault:
    (found,) = faults(text, name_hint)
    return found


def places(text: str) -> list[tuple[str, int, int]]:
    return [(fault.path, fault.line, fault.column) for fault in faults(text)]


BAD = """\
name: 5
nmae: x
priority: 50
deadline: tomorrow
inputs:
  a: string
  b: {type: strin}
  c: {type: integer, default: x}
  round: {}
steps:
  - key: a b
    agnet: backend
  - key: x
    agent: 5
    dependencies: [x, yy, z, z]
    prompt: "{{ nope }}"
    retry: {attempts: 0, attemts: 3, delay: 10m, jitter: 2}
    timeout: 30
    parallel: no
  - key: x
    agent: q
    with: {prompt: 5, d: ["{{ z.result }}"]}
    prompt: hi
  - key: z
    agent: q
    needs: [last]
  - key: last
    agent: q
    dependencies: [z]
    on_error: stpo
  - key: one
    key: two
    agent: q
  - 7
"""


def test_every_error_is_told_at_once_with_its_place() -> None:
    assert places(BAD) == [
        ("name", 1, 7),
        ("nmae", 2, 1),
        ("priority", 3, 11),
        ("deadline", 4, 11),
        ("inputs.a", 6, 6),
        ("inputs.b.type", 7, 13),
        ("inputs.c.default", 8, 31),
        ("inputs.round", 9, 10),
        ("steps[0].key", 11, 10),
        ("steps[0].agnet", 12, 5),
        ("steps[1].agent", 14, 12),
        ("steps[1].dependencies[0]", 15, 20),
        ("steps[1].dependencies[1]", 15, 23),
        ("steps[1].dependencies[3]", 15, 30),
        ("steps[1].prompt", 16, 13),
        ("steps[1].retry.attempts", 17, 23),
        ("steps[1].retry.attemts", 17, 26),
        ("steps[1].retry.delay", 17, 45),
        ("steps[1].retry.jitter", 17, 58),
        ("steps[1].timeout", 18, 14),
        ("steps[1].parallel", 19, 15),
        ("steps[2].key", 20, 10),
        ("steps[2].with.prompt", 22, 20),
        ("steps[2].with.d[0]", 22, 27),
        ("steps[3].needs", 26, 12),
        ("steps[4].on_error", 30, 15),
        ("steps[5].key", 32, 5),
        ("steps[6]", 34, 5),
    ]


def test_a_fault_says_what_where_and_what_to_do() -> None:
    with pytest.raises(InvalidDocument) as caught:
        load(
            GOOD + "  promt: hi\n- {key: c, agent: b, prompt: '{{ a.result }}'}\n",
            name_hint="q.yaml",
        )
    first, second = str(caught.value).splitlines()
    assert first == 'q.yaml:5:3: steps[0].promt: there is no field "promt" (did you mean prompt?)'
    assert second.startswith('q.yaml:6:30: steps[1].prompt: names "a", which need not be done')
    assert second.endswith("(add a to dependencies)")


def test_json_faults_have_places_too() -> None:
    text = '{\n  "name": "x",\n\t"steps": [\n  {"key": "a", "agent": "é", "timeout": 3}\n]}'
    assert only(text) == Fault(
        "steps[0].timeout", 4, 41, "is a number without a unit", "write 3s or 3ms"
    )


LATER_OF_STEP = "compensate breakpoint gate ask route labels affinity"


@pytest.mark.parametrize("name", LATER_OF_STEP.split())
def test_what_a_step_cannot_do_yet_is_refused_by_name(name: str) -> None:
    fault = only(f"name: x\nsteps:\n- key: a\n  agent: b\n  {name}: 1\n")
    assert (fault.path, fault.message) == (f"steps[0].{name}", f"{name} is not yet supported")


@pytest.mark.parametrize("name", ["wait_for", "sleep", "ask"])
def test_a_step_of_a_later_kind_is_told_once(name: str) -> None:
    assert only(f"name: x\nsteps:\n- key: a\n  {name}: 1\n").path == f"steps[0].{name}"


@pytest.mark.parametrize("name", ["concurrency", "rate", "hooks", "decide"])
def test_what_a_quest_cannot_do_yet_is_refused_by_name(name: str) -> None:
    assert only(f"{GOOD}{name}: []\n").message == f"{name} is not yet supported"


@pytest.mark.parametrize(
    ("inputs", "step", "place", "says"),
    [
        ("k: {secret: 1}", "prompt: x", ("inputs.k.secret", 6, 22), "must be true or false, not 1"),
        ("k: {type: integer, secret: true}", "prompt: x", ("inputs.k.type", 6, 20), "a secret is a string"),
        (
            "k: {secret: true, default: hunter2}", "prompt: x", ("inputs.k.default", 6, 37),
            "is secret: it takes a reference to the value, not the value itself",
        ),
        ("k: {secret: true}", "when: k", ("steps[0].when", 5, 9), "names the secret k"),
        (
            "k: {secret: true}", "with: {a: ['{{ k | upper }}']}", ("steps[0].with.a[0]", 5, 14),
            "makes something of the secret k, which is only passed on",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_said_of_a_secret_is_told_with_its_place(
    inputs: str, step: str, place: tuple[str, int, int], says: str
) -> None:
    fault = only(f"{GOOD}  {step}\ninputs: {{{inputs}}}\n")
    assert (fault.path, fault.line, fault.column) == place
    assert fault.message == says


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("agent: [a]", "must be text, not a list"),
        ("agent: null", "must be text, not null"),
        ("agent: 5", 'write "5"'),
        ("prompt: 1.0", 'write "1.0"'),
        ("dependencies: a", r"write it in brackets"),
        ("dependencies: [1]", "must be text"),
        ("capability: []", "empty list"),
        ("capability: {a: b}", "must be text"),
        ("with: [a]", "must be a mapping of arguments"),
        ("parallel: 'true'", "must be true or false"),
        ("idempotent: yes", "must be true or false"),
        ("timeout: 30", "write 30s or 30ms"),
        ("timeout: 1.5h", "whole number and ms, s, m, h or d"),
        ("timeout: 0s", "longer than 0s"),
        ("timeout: [1s]", "must be a duration"),
        ("retry: 3", "must be a mapping"),
        ("retry: {attempts: 1.5}", "must be a whole number"),
        ("retry: {attempts: true}", "must be a whole number"),
        ("retry: {backoff: fast}", "must be a number"),
        ("retry: {delay: 10m}", r"max_delay \(5m\)"),
        ("on_error: continue_with_inputs", "did you mean continue_with_input"),
        ("priority: high", "must be a whole number"),
    ],
)
def test_fields_of_a_wrong_shape_are_told_how_to_write_them(field: str, says: str) -> None:
    lines = ["name: x", "steps:", "- key: a", f"  {field}"]
    if not field.startswith(("agent", "capability")):
        lines.append("  agent: b")
    with pytest.raises(InvalidDocument, match=says) as caught:
        load("\n".join(lines))
    assert [fault.line for fault in caught.value.faults] == [4]


def test_needs_and_dependencies_together_are_an_error() -> None:
    text = "name: x\nsteps:\n- {key: a, agent: b}\n- {key: c, agent: b, needs: [a], dependencies: [a]}\n"
    assert only(text).path == "steps[1].needs"


def test_faults_of_needs_stand_where_needs_stands() -> None:
    text = "name: x\nsteps:\n- key: a\n  agent: b\n  needs:\n  - ghost\n"
    fault = only(text)
    assert (fault.path, fault.line, fault.column) == ("steps[0].needs[0]", 6, 5)


def test_missing_name_steps_and_key_are_told() -> None:
    assert [fault.path for fault in faults("description: x")] == ["name", "steps"]
    assert places("name: x\nsteps:\n- agent: b\n") == [("steps[0].key", 3, 3)]
    assert only("name: x\nsteps: []").path == "steps"
    assert only("name: x\nsteps: {a: b}").message == "must be a list of steps, not a mapping"


def test_a_thousand_faults_are_bounded() -> None:
    text = "name: x\nsteps:\n" + "".join(
        f"- {{key: s{n}, agnt: b, zzz: 1}}\n" for n in range(3_000)
    )
    found = faults(text)
    assert len(found) == 1_001
    assert found[-1].message.endswith("more faults are not listed")
    twice = "\n".join(["{", *['"a": 1,'] * 2_000])
    assert len(faults(twice, "x.json")) == 1_001


def test_what_is_wrong_with_a_fallback_has_its_place() -> None:
    text = GOOD + (
        "  fallback:\n"
        "  - {agent: c, tol: run}\n"
        "  - {tool: run}\n"
        "  - {capability: [], timeout: 5}\n"
        "  - 7\n"
    )
    assert places(text) == [
        ("steps[0].fallback[0].tol", 6, 16),
        ("steps[0].fallback[1].agent", 7, 5),
        ("steps[0].fallback[2].capability", 8, 18),
        ("steps[0].fallback[2].timeout", 8, 31),
        ("steps[0].fallback[3]", 9, 5),
    ]
    assert only(GOOD + "  fallback: {agent: c}").message == "must be a list, not a mapping"


def test_what_is_wrong_with_a_loop_has_its_place() -> None:
    text = (
        "name: x\nsteps:\n- key: a\n  agent: b\n  repeat: {until: 1 +, max_rounds: 0}\n"
        "- {key: b, agent: b, repeat: {until: c.result, back_to: aa}}\n"
        "- {key: c, agent: b, repeat: {until: result, back_to: a}}\n"
        "- {key: d, agent: b, repeat: {on_exhausted: stopp}}\n"
    )
    assert places(text) == [
        ("steps[0].repeat.until", 5, 19),
        ("steps[0].repeat.max_rounds", 5, 36),
        ("steps[1].repeat.until", 6, 38),
        ("steps[1].repeat.back_to", 6, 57),
        ("steps[2].repeat.back_to", 7, 55),
        ("steps[3].repeat.until", 8, 30),
        ("steps[3].repeat.on_exhausted", 8, 45),
    ]


def test_loops_that_wait_for_each_others_end_are_refused() -> None:
    text = (
        "name: x\nsteps:\n- {key: a, agent: b}\n"
        "- {key: left, agent: b, needs: [a], repeat: {until: result, back_to: a}}\n"
        "- {key: right, agent: b, needs: [a], repeat: {until: result, back_to: a}}\n"
    )
    assert only(text).message == 'this loop and that of "right" wait for each other\'s end'


def test_what_is_judged_names_no_step_that_need_not_be_done() -> None:
    text = (
        "name: x\nsteps:\n- {key: a, agent: b}\n- key: b\n  agent: b\n"
        '  repeat: {until: result, feedback: ["{{ a.result }}"]}\n'
    )
    assert only(text).path == "steps[1].repeat.feedback[0]"


def test_what_is_wrong_with_items_has_its_place() -> None:
    text = (
        "name: x\nsteps:\n"
        "- {key: a, agent: b, max_parallel: 2, partial: continue}\n"
        "- {key: c, agent: b, for_each: [1, 2]}\n"
        "- {key: d, agent: b, for_each: a.result, max_parallel: 0, partial: goon}\n"
        "- {key: e, agent: b, needs: [a], for_each: item, parallel: false, max_parallel: 2}\n"
        '- {key: f, agent: b, when: "index > 1", for_each: "[1]", prompt: "{{ item }} {{ itme }}"}\n'
        '- {key: g, agent: b, prompt: "{{ item }}"}\n'
    )
    assert places(text) == [
        ("steps[0].max_parallel", 3, 36),
        ("steps[0].partial", 3, 48),
        ("steps[1].for_each", 4, 32),
        ("steps[2].for_each", 5, 32),
        ("steps[2].max_parallel", 5, 56),
        ("steps[2].partial", 5, 68),
        ("steps[3].for_each", 6, 44),
        ("steps[3].max_parallel", 6, 81),
        ("steps[4].when", 7, 28),
        ("steps[5].prompt", 8, 30),
    ]
    assert [fault.hint for fault in faults(text)][-1] == "`item` is known in a step with for_each"


def test_what_is_wrong_with_a_plan_has_its_place() -> None:
    text = (
        "name: x\nsteps:\n"
        "- {key: a, agent: b, plan: {}}\n"
        "- {key: c, agent: b, plan: {max_steps: 0}}\n"
        "- {key: d, agent: b, plan: 5}\n"
        '- {key: e, agent: b, plan: {max_steps: 5}, for_each: "[1]"}\n'
    )
    assert places(text) == [
        ("steps[0].plan.max_steps", 3, 28),
        ("steps[1].plan.max_steps", 4, 40),
        ("steps[2].plan", 5, 28),
        ("steps[3].plan", 6, 28),
    ]


def test_a_step_in_a_loop_plans_nothing() -> None:
    text = (
        "name: x\nsteps:\n"
        "- {key: a, agent: b, plan: {max_steps: 5}}\n"
        "- {key: c, agent: b, needs: [a], plan: {max_steps: 5}}\n"
        "- {key: d, agent: b, needs: [c], repeat: {until: result, back_to: c}}\n"
        "- {key: e, agent: b, plan: {max_steps: 5}, repeat: {until: result}}\n"
        "- {key: f, agent: b, needs: [d], plan: {max_steps: 5}}\n"
    )
    assert places(text) == [("steps[1].plan", 4, 40), ("steps[3].plan", 6, 28)]
    assert {fault.message for fault in faults(text)} == {"a step in a loop plans nothing"}


@pytest.mark.parametrize(
    ("step", "path", "message"),
    [
        ("use: a b", "use", '"a b" cannot be a template'),
        ("use: a@", "use", '"a@" cannot be a template'),
        ("use: 1", "use", "must be text, not 1"),
        ("use: a, agent: b", "agent", "is said of a step that uses a template"),
        ("use: a, tool: b", "tool", "is said of a step that uses a template"),
        ("use: a, prompt: b", "prompt", "is said of a step that uses a template"),
        ("use: a, heartbeat_timeout: 1s", "heartbeat_timeout", "is said of a step that uses"),
        ("use: a, fallback: [{agent: b}]", "fallback", "is said of a step that uses a template"),
        ("use: a, idempotent: false", "idempotent", "is said of a step that uses a template"),
        ("use: a, with: {b: 1}", "with", "is for a step that calls a tool"),
        ("agent: a, inputs: {b: 1}", "inputs", "is for a step that uses a template"),
        ("use: a, inputs: {b: '{{ c.result }}'}", "inputs.b", "`c` is no step"),
        ("use: a, inputs: [b]", "inputs", "must be a mapping of arguments"),
    ],
)
def test_what_a_step_that_uses_a_template_may_not_say(step: str, path: str, message: str) -> None:
    fault = only(f"name: x\nsteps:\n- {{key: s, {step}}}\n")
    assert fault.path == f"steps[0].{path}"
    assert message in fault.message
    assert (fault.line, fault.column > 1) == (3, True)


def test_what_is_wrong_with_a_wait_has_its_place() -> None:
    text = (
        "name: x\n"
        "steps:\n"
        "- {key: a, wait_for: '{{ b }}', default: 1}\n"
        "- {key: b, wait_for: go, agent: x, retry: {}, timeout: 5}\n"
        "- {key: c, sleep: 0s, timeout: 1s, parallel: false}\n"
        "- {key: d, sleep: 1s, wait_for: go, needs: [b]}\n"
        "- {key: e, agent: x, default: 1}\n"
        "- {key: f, wait_for: 7, default: 1}\n"
        "- {key: g, sleep: soon}\n"
        "- {key: h, sleep: 1s, repeat: {until: 'true'}}\n"
        "- {key: i, use: leaf, inputs: {x: 1}, wait_for: go}\n"
        "- {key: j, sleep: 1s, use: leaf}\n"
    )
    assert places(text) == [
        ("steps[0].wait_for", 3, 22),
        ("steps[0].default", 3, 42),
        ("steps[1].agent", 4, 33),
        ("steps[1].retry", 4, 43),
        ("steps[1].timeout", 4, 56),
        ("steps[2].sleep", 5, 19),
        ("steps[2].timeout", 5, 32),
        ("steps[2].parallel", 5, 46),
        ("steps[3].sleep", 6, 19),
        ("steps[4].default", 7, 22),
        ("steps[5].wait_for", 8, 22),
        ("steps[6].sleep", 9, 19),
        ("steps[7].repeat", 10, 31),
        ("steps[8].use", 11, 17),
        ("steps[8].inputs", 11, 31),
        ("steps[9].use", 12, 28),
    ]
    assert faults(text)[-1].message == "a step with sleep is no quest of its own"
