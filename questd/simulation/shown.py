"""Frames in a line of the trace."""

from questd.actors.agent.core import attempt_of
from questd.messages.exchange import AgentFrame, DaemonFrame, Exchange, Hello, Work


def shown(frame: AgentFrame | DaemonFrame) -> tuple[object, ...]:
    """A frame in a line of the trace."""
    name = type(frame).__name__
    match frame:
        case Hello():
            said = [attempt_of(outcome) for outcome in frame.outcomes]
            return name, frame.incarnation, frame.counter, frame.held, said
        case Exchange():
            said = [attempt_of(outcome) for outcome in frame.outcomes]
            return name, frame.incarnation, frame.counter, frame.ack, frame.open, said, frame.boot
        case Work():
            items = [(type(i).__name__, i.number, i.quest, i.epoch) for i in frame.items]
            return name, frame.counter, items, frame.acks
        case _:
            return (name,)
