"""What the clients of a run want, drawn from its seed."""

from questd.messages.definition import encode_definition
from questd.simulation.chance import Chance
from questd.simulation.clients import Errand
from questd.simulation.concealed import inputs_for
from questd.simulation.families import TEMPLATES
from questd.simulation.faults import SECOND, Scene
from questd.simulation.references import SHAPES
from questd.simulation.waits import draw_sendings
from questd.simulation.workload import draw_definition, hopeless_definition


def draw_errands(scene: Scene, chance: Chance) -> list[tuple[Errand, int]]:
    """What clients want, and when they come."""
    if scene.reference:
        return [(errand, 0) for errand in SHAPES[scene.reference].errands()]
    shapes = [draw_definition(chance, number, templates=TEMPLATES) for number in range(3)]
    errands: list[tuple[Errand, int]] = []
    for number in range(scene.quests):
        definition = shapes[0] if chance.maybe(0.3) else chance.pick(shapes)
        errand = Errand(
            encode_definition(definition),
            inputs_for(definition, chance),
            key=f"key-{number}",
            cancel_after_us=chance.skewed(0, 3 * SECOND) if chance.maybe(0.12) else None,
            watches=chance.maybe(0.4),
            total_timeout_ms=3_000 if chance.maybe(0.05) else None,
            sendings=draw_sendings(chance, definition, f"key-{number}"),
        )
        errands.append((errand, chance.between(0, scene.chaos_us * 2 // 3)))
    if scene.hopeless:
        hopeless = Errand(encode_definition(hopeless_definition()), b"{}", key="hopeless")
        errands.append((hopeless, chance.between(0, SECOND)))
    return errands
