"""Breakages of one line each: the proof that the simulation looks. A test applies them one by one; each must be caught.

They replace an attribute of production code while a ``with`` block lasts, and nothing else.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from msgspec import Struct

from questd.actors import redaction
from questd.actors.agent import core as agent_core
from questd.actors.agent.actor import AgentActor
from questd.actors.children import actor as children_actor
from questd.actors.children.actor import ChildQuests
from questd.actors.directory import waking
from questd.actors.directory.actor import Directory
from questd.actors.directory.alarms import Alarms
from questd.actors.exchange.actor import ExchangeActor
from questd.actors.mail import Answered
from questd.actors.quest import actor as quest_actor
from questd.actors.quest import (
    attempts,
    core,
    decide,
    fallback,
    item_materials,
    items,
    materials,
    moving,
    planning,
    rounds,
    standing,
    timing,
    told,
    waiting,
)
from questd.actors.quest import state as quest_state
from questd.actors.quest import task as quest_task
from questd.actors.quest.actor import QuestSupervisor
from questd.actors.quest.commands import Rejected
from questd.actors.quest.owed import RunAttempt
from questd.actors.quest.recovery import Recovery
from questd.actors.quest.signals import Signals
from questd.actors.quest.writing import Writing
from questd.actors.router import core as router_core
from questd.actors.step import actor as step_actor
from questd.agent.session import Session
from questd.analytics.projection import Projector
from questd.documents import reading
from questd.messages.events import BreakpointOpened
from questd.messages.exchange import Completed
from questd.runtime.clock import TimerHeap
from questd.runtime.journal.memory import MemoryStore
from questd.runtime.keyring import Remembering
from questd.simulation.historian import Tables
from questd.simulation.lapses import (
    forget_key,
    give_to_all,
    take_the_last,
    wait_for_the_next,
    wake_early,
)
from questd.simulation.leaks import (
    first_argument,
    hand_out_none,
    look_for_none,
    look_up_once,
    only_remembered,
    write_secrets_down,
)
from questd.simulation.lost_children import never_there, only_attach
from questd.simulation.lost_items import but_one, hide_failed, last_first, one_key, pass_over
from questd.simulation.lost_places import give_and_forget, take_any_place
from questd.simulation.turning import (
    ask_nobody,
    go_on_for_ever,
    never_again,
    tell_nothing,
    wait_for_no_loop,
)

EARLY_US: Final = 3_000_000


class Saboteur(Struct, frozen=True):
    """``place.attribute`` becomes ``broken(what it was)``. ``name`` says what is wrong then."""

    name: str
    place: Any
    attribute: str
    broken: Callable[[Any], Any]

    @contextmanager
    def at_work(self) -> Generator[None]:
        """Broken inside the block, whole again after it."""
        whole: Any = self.place.__dict__[self.attribute]
        setattr(self.place, self.attribute, self.broken(whole))
        try:
            yield
        finally:
            setattr(self.place, self.attribute, whole)


Broken = Callable[..., Any]


def _answer_at_once(_: Any) -> Broken:
    def answer(_self: Any, reply: Any, said: Any) -> None:
        reply.address.tell(Answered(reply.job, said))

    return answer


def _do_at_once(_: Any) -> Broken:
    def when_durable(_self: Any, effect: Callable[[], None]) -> None:
        effect()

    return when_durable


def _ignore_epoch(_: Any) -> Broken:
    def counting(state: Any, epoch: int) -> Any:
        index = state.epochs.get(epoch)
        attempt = None if index is None else state.tasks[index].open_attempt()
        return None if attempt is None else (state.tasks[index], attempt)

    return counting


def _skip_gaps(whole: Broken) -> Broken:
    def work(self: Any, ticket: int, frame: Any) -> None:
        if frame.items:
            self._received = max(self._received, frame.items[0].number - 1)
        whole(self, ticket, frame)

    return work


def giving(value: Any) -> Callable[[Any], Broken]:
    """Whatever it is asked, it gives this."""

    def broken(_: Any) -> Broken:
        def give(*_arguments: Any, **_named: Any) -> Any:
            return value

        return give

    return broken


def _fire_early(whole: Broken) -> Broken:
    def due(self: Any, now: float) -> Any:
        return whole(self, now + EARLY_US)

    return due


def _elapse_early(whole: Broken) -> Broken:
    def elapse(state: Any, now_us: int) -> Any:
        return whole(state, now_us + EARLY_US)

    return elapse


def _forget_last_due(whole: Broken) -> Broken:
    def take_due(self: Any) -> Any:
        due = whole(self)
        return due[:-1] if len(due) > 2 else due

    return take_due


def _put_rows(_: Any) -> Broken:
    def roll_back(self: Any, batch: Any) -> None:
        self.put(batch)

    return roll_back


def _one_dependency(whole: Broken) -> Broken:
    def init(self: Any, index: int, step: Any, unfinished: int) -> None:
        whole(self, index, step, min(unfinished, 1))

    return init


def _acknowledge_at_once(whole: Broken) -> Broken:
    def arrived(self: Any, outcomes: Any) -> Any:
        fresh = whole(self, outcomes)
        self.acks.extend(agent_core.attempt_of(outcome) for outcome in fresh)
        return fresh

    return arrived


def _repeat_blindly(whole: Broken) -> Broken:
    def lose(*arguments: Any, **named: Any) -> Any:
        decided = whole(*arguments, **named)
        if isinstance(decided, Rejected):
            return decided
        return [event for event in decided if not isinstance(event, BreakpointOpened)]

    return lose


def _never_lost(_: Any) -> Broken:
    def on_beat(self: Any) -> None:
        self._arm_beat()

    return on_beat


def _forget_running(whole: Broken) -> Broken:
    def outstanding(state: Any) -> Any:
        return [due for due in whole(state) if not isinstance(due, RunAttempt)]

    return outstanding


def _forget_ack(_: Any) -> Broken:
    def acknowledge(self: Any, attempt: Any) -> None:
        self.delivered.pop(attempt, None)

    return acknowledge


def _wall_time(_: Any) -> Broken:
    def now_us(self: Any, _state: Any) -> Any:
        return self._house.clock.now_us()

    return now_us


def _read_early(_: Any) -> Broken:
    def begin(self: Any, **_named: Any) -> None:
        self.read(0)

    return begin


def _mix_results(_: Any) -> Broken:
    def check(outcome: Any) -> Any:
        if isinstance(outcome, Completed):
            return Completed(outcome.quest, outcome.epoch, b"null", outcome.duration_us)
        return outcome

    return check


def _always_allow(whole: Broken) -> Broken:
    def decide_task(state: Any, key: str, *, holds: bool) -> Any:
        del holds
        return whole(state, key, holds=True)

    return decide_task


def _look_no_further(whole: Broken) -> Broken:
    def come_up(state: Any, task: Any, now_us: int) -> Any:
        task.skipped_by = None
        return whole(state, task, now_us)

    return come_up


def _give_up_at_once(whole: Broken) -> Broken:
    def retry_at(state: Any, task: Any, *rest: Any) -> Any:
        return None if task.step.fallback else whole(state, task, *rest)

    return retry_at


def _keep_count(whole: Broken) -> Broken:
    def fall_back(state: Any, task: Any, *rest: Any) -> Any:
        spent = task.spent
        whole(state, task, *rest)
        task.spent = spent

    return fall_back


def _trust_for_ever(whole: Broken) -> Broken:
    def poll(self: Any, now: int) -> Any:
        effects = whole(self, now)
        self.trusted_until_us = now + 10**12
        return effects

    return poll


def _drop_nothing(whole: Broken) -> Broken:
    def greet_again(self: Any, opened: Any, now: int) -> None:
        fetched = dict(self._queue)
        whole(self, opened, now)
        self._queue.update(fetched)

    return greet_again


SABOTEURS: Final = (
    Saboteur("hand out references", step_actor, "secrets_for", hand_out_none),
    Saboteur("believe that tools keep secrets", redaction, "redacted", first_argument),
    Saboteur("show progress as it is said", step_actor, "redactor_of", look_for_none),
    Saboteur("forget secrets at a restart", Remembering, "known", only_remembered),
    Saboteur("look a secret up once", Remembering, "value", look_up_once),
    Saboteur("write down what a step was given", materials, "given_to", write_secrets_down),
    Saboteur("acknowledge before append", Writing, "answer", _answer_at_once),
    Saboteur("do effects before append", Writing, "when_durable", _do_at_once),
    Saboteur("drop the epoch check", attempts, "counting", _ignore_epoch),
    Saboteur("take work behind a gap", Session, "_work", _skip_gaps),
    Saboteur("skip deduplication of results", attempts, "completed_by", giving(None)),
    Saboteur("forget when to wake whom", Alarms, "set", giving(None)),
    Saboteur("lose a passivated quest", Directory, "_on_rested", giving(None)),
    Saboteur("forget what a resting quest wants", told, "_wants_by_need", giving(())),
    Saboteur("fire a timer early", TimerHeap, "due", _fire_early),
    Saboteur("retry before its time", core, "elapse", _elapse_early),
    Saboteur("forget the due set's delta", quest_state.QuestState, "take_due", _forget_last_due),
    Saboteur("watermark outside the transaction", Tables, "roll_back", _put_rows),
    Saboteur("drop work without resending", agent_core.Session, "_find_lost", giving(None)),
    Saboteur("run what was to be skipped", decide, "_decide_task", _always_allow),
    Saboteur("forget that a skip spreads", moving, "come_up", _look_no_further),
    Saboteur("fall back without failing", attempts, "retry_at", _give_up_at_once),
    Saboteur("ask nobody else", attempts, "next_choice", giving(None)),
    Saboteur("count what others tried", fallback, "fall_back", _keep_count),
    Saboteur("go back without end", rounds, "end_round", go_on_for_ever),
    Saboteur("never go back", rounds, "end_round", never_again),
    Saboteur("ask nobody for a round more", rounds, "end_round", ask_nobody),
    Saboteur("tell the next round nothing", rounds, "end_round", tell_nothing),
    Saboteur("let all rounds release", moving, "_release_dependents", wait_for_no_loop),
    Saboteur("let all items go at once", items, "window_of", giving(None)),
    Saboteur("mix up the results of items", item_materials, "items_of", last_first),
    Saboteur("give all items one key", materials, "idempotency_key", one_key),
    Saboteur("go on after an item that failed", items, "item_step", pass_over),
    Saboteur("let items outlive their step", items, "drop_rest", giving(None)),
    Saboteur("join a plan but for its first step", planning, "plan", but_one),
    Saboteur("take a plan unchecked", reading, "check", giving([])),
    Saboteur("overtake a plan", planning, "_wait_for", giving(None)),
    Saboteur("hide the items that failed", items, "on_gathered", hide_failed),
    Saboteur("forget to tell the parent", quest_actor, "tell_parent", giving(None)),
    Saboteur("begin a child that is there", children_actor, "standing_of", never_there),
    Saboteur("wake no parent that rests", ChildQuests, "_wake_parent", giving(None)),
    Saboteur("wake nobody at a start", waking, "_ended_unheard", giving(False)),
    Saboteur("leave a child that has ended alone", ChildQuests, "_on_standing", only_attach),
    Saboteur("wake before its time", standing, "_until_us", wake_early),
    Saboteur("lose a kept signal", Signals, "await_", wait_for_the_next),
    Saboteur("let the second answer win", Signals, "await_", take_the_last),
    Saboteur("hear what nobody can take", waiting, "_refusal", giving(None)),
    Saboteur("give a signal to all who wait", Signals, "keep", give_to_all),
    Saboteur("take a resent signal for another", waiting, "on_received", forget_key),
    Saboteur("start with one dependency done", quest_task.Task, "__init__", _one_dependency),
    Saboteur("ignore exclusivity and limits", attempts, "hold_reason", giving(None)),
    Saboteur("ignore the idempotency key", MemoryStore, "_holder", giving(None)),
    Saboteur(
        "acknowledge outcomes on arrival", agent_core.Session, "arrived", _acknowledge_at_once
    ),
    Saboteur("repeat what must not be repeated", attempts, "lose", _repeat_blindly),
    Saboteur("never miss a silent agent", AgentActor, "_on_beat", _never_lost),
    Saboteur("wait for ever after a restart", ExchangeActor, "_on_grace_over", giving(None)),
    Saboteur("forget running attempts at recovery", core, "outstanding", _forget_running),
    Saboteur("leak places", router_core, "release", giving([])),
    Saboteur("give a place and forget to whom", router_core, "take", give_and_forget),
    Saboteur("start on a place for a former choice", core, "still_wants", take_any_place),
    Saboteur("lose large payloads", Writing, "attach", giving(None)),
    Saboteur("acknowledge nothing", agent_core.Session, "acknowledge", _forget_ack),
    Saboteur("let time go back", QuestSupervisor, "_now_us", _wall_time),
    Saboteur("recover before the last append", Recovery, "begin", _read_early),
    Saboteur("let an old Hello in", ExchangeActor, "_hear", giving(None)),
    Saboteur("mix up results", agent_core, "check_outcome", _mix_results),
    Saboteur("forget timers of a quest", timing, "arm", giving(None)),
    Saboteur("begin whatever the daemon knows", Session, "poll", _trust_for_ever),
    Saboteur("keep what was fetched over a resync", Session, "_greet_again", _drop_nothing),
    Saboteur("project without looking back", Projector, "_recall", giving(None)),
)
