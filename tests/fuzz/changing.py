"""How the scripts of strangers are changed: a frame, as the value that it is, or the order of what happens."""

from questd.simulation.chance import Chance
from tests.fuzz.mutation import changed_bytes, changed_frame
from tests.fuzz.script import LINES, Hang, Say, Step, Wait, read, write


def changed_script(data: bytes, chance: Chance, words: tuple[bytes, ...]) -> bytes:
    """The script with one to four changes."""
    steps = read(data)
    for _ in range(chance.skewed(1, 5)):
        steps = _changed(steps, chance, words)
    return write(steps)


def _changed(steps: list[Step], chance: Chance, words: tuple[bytes, ...]) -> list[Step]:
    if not steps:
        return [Say(0, changed_bytes(b"", chance, words))]
    at = chance.between(0, len(steps))
    step = steps[at]
    if isinstance(step, Say) and chance.maybe(0.75):
        changed: Step = Say(step.line, changed_frame(step.frame, chance, words), step.at_once)
        return [*steps[:at], changed, *steps[at + 1 :]]
    match chance.between(0, 6):
        case 0:
            return steps[:at] + steps[at + 1 :]
        case 1:
            return [*steps[:at], step, *steps[at:]]
        case 2:
            return [*steps[:at], Wait(chance.skewed(0, 256)), *steps[at:]]
        case 3:
            return [*steps[:at], Hang(chance.between(0, 2)), *steps[at:]]
        case 4 if isinstance(step, Say):
            moved = Say(chance.between(0, LINES), step.frame, chance.maybe(0.5))
            return [*steps[:at], moved, *steps[at + 1 :]]
        case _:
            other = chance.between(0, len(steps))
            steps[at], steps[other] = steps[other], steps[at]
            return steps
