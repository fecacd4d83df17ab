"""What a client wants of a quest that there is, as a command to it. Pure."""

from questd.actors.agent.edge import fault_of_result
from questd.actors.control.submitting import KEY_MAX, fits
from questd.actors.graph.checks import NAME_MAX
from questd.actors.quest import commands as cmd
from questd.messages import control as ctl
from questd.messages.control import Error

Steering = ctl.CancelQuest | ctl.ResolveTask | ctl.SendSignal


def steered_by(request: Steering) -> cmd.Command | Error:
    """The command, or what is wrong with it."""
    actor = request.actor[:200]
    match request:
        case ctl.CancelQuest(_, reason):
            return cmd.CancelQuest(reason[:2_000], actor)
        case ctl.ResolveTask(_, choice, _, task, result):
            fault = None if result is None else fault_of_result(result)
            return (
                Error("invalid", fault) if fault else cmd.ResolveTask(task, choice, actor, result)
            )
        case ctl.SendSignal(_, name, payload, _, key):
            fault = _fault_of_signal(request)
            return (
                Error("invalid", fault) if fault else cmd.ReceiveSignal(name, payload, actor, key)
            )


def _fault_of_signal(signal: ctl.SendSignal) -> str | None:
    if not fits(signal.name, NAME_MAX):
        return f"name: a signal's name has 1 to {NAME_MAX} printable characters"
    if signal.key is not None and not fits(signal.key, KEY_MAX):
        return f"key: an idempotency key has 1 to {KEY_MAX} printable characters"
    return fault_of_result(signal.payload, "payload")
