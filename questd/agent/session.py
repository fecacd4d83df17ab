"""The agent's side of the exchange. Pure: frames, outcomes and the time come in, effects go out; no I/O, no clock.

    greeting ──Welcome──▶ talking ──drained, all said──▶ parting ──answered or lost──▶ ended
        ▲                    │
        └──────Resync────────┘

- While talking, one exchange is always open (the daemon holds it). When there is something to say a second one
  goes out at once, and no third until one of the two is answered: so frames grow with the load. Exchanges older
  than an answered one are late or lost and do not count, up to four open ones in all.
- Work items are accepted in order of their numbers without a gap, each attempt once. ``ack`` is the last accepted.
- Outcomes are said until a Work acknowledges them: again after an exchange failed, after Resync, and after silence.
- Draining begins nothing; what waits here was never begun and is given away by Goodbye.
- Nothing is begun later than two holds after the last frame that the daemon is known to have heard: it may have given
  its work to others. What was not begun when the session ended (Resync) is forgotten, and sent again if it is wanted.

Times are monotonic microseconds, whatever their zero.
"""

from collections import deque
from collections.abc import Iterable
from typing import Literal, assert_never

from questd.agent import pace
from questd.agent.effects import (
    EXIT_DENIED,
    EXIT_DRAINED,
    EXIT_STUCK,
    EXIT_UNREACHABLE,
    Begin,
    Cancel,
    Effect,
    Exit,
    Offer,
    Redial,
    Send,
    Withdraw,
    greeting,
)
from questd.agent.outbox import Opened, Outbox, Parcel, loaded
from questd.messages.events import LogLine
from questd.messages.exchange import (
    AgentFrame,
    AttemptId,
    Cancellation,
    Cancelled,
    DaemonFrame,
    Denied,
    Exchange,
    Goodbye,
    Invocation,
    Outcome,
    Progress,
    Resync,
    Welcome,
    Work,
    WorkItem,
)

Phase = Literal["greeting", "talking", "parting", "ended"]


class Session:
    """Give it what happens, then ``poll``: the effects, in order. ``next_wake`` says when to poll at the latest."""

    def __init__(self, offer: Offer, now: int) -> None:
        self.offer = offer
        self.outbox = Outbox()
        self.phase: Phase = "greeting"
        self.boot = ""
        self.draining = False
        self.hold_us = pace.GREETING_TIMEOUT_US
        self._why_drain = ""
        self._exit_code: int = EXIT_DRAINED
        self._counter = 0
        self._answered = 0
        self._received = 0
        self._said: tuple[int, int, bool] = (0, 0, False)
        self._stuck = 0
        self._peer_frame_max = offer.frame_max
        self._queue: dict[AttemptId, Invocation] = {}
        self._begun: dict[AttemptId, bool] = {}
        self._open: dict[int, Opened] = {}
        self._effects: deque[Effect] = deque()
        self._heard_us = now
        self._chatter_us = now
        # What was fetched may be begun until then; to be asked again at the moment of each beginning.
        self.trusted_until_us = now
        self._quiet_until_us = now
        self._idle_until_us = now
        self._linger_until_us = now
        self._failures = 0
        self._resend_us = now

    def heard(self, ticket: int, frame: DaemonFrame, now: int) -> None:
        """Take the answer to a Send; answers to forgotten ones change nothing but acknowledgements."""
        if isinstance(frame, Work):
            self._acknowledge(frame, now)
        opened = self._open.pop(ticket, None)
        if opened is None or self.phase == "ended":
            return
        self._heard_us = now
        match frame:
            case Welcome():
                self._welcome(frame, now)
            case Work():
                self._work(ticket, frame)
                if frame.items:
                    self._linger_until_us = now + pace.LINGER_US
                if self._idle_answer(frame, now - opened.sent_us):
                    self._idle_until_us = now + pace.SPIN_GUARD_US
            case Resync():
                self._greet_again(opened, now)
            case Denied():
                self._denied(opened, frame, now)
            case _:
                assert_never(frame)
        if self.phase == "talking":  # the daemon has heard the frame, after it was sent
            trusted = opened.sent_us + pace.TRUST_HOLDS * self.hold_us
            self.trusted_until_us = max(self.trusted_until_us, trusted)
        elif self.phase == "parting":
            self._end(self._exit_code, self._why_drain)

    def lost(self, ticket: int, now: int) -> None:
        """Note that a Send was not answered in time, or that its link broke."""
        opened = self._open.pop(ticket, None)
        if opened is None:
            return
        if self.phase == "parting":
            self._end(self._exit_code, self._why_drain)
            return
        self.outbox.restore(opened.parcel)
        self.trusted_until_us = 0  # a daemon counts broken links sooner than silent ones
        self._back_off(now)

    def began(self, attempt: AttemptId) -> None:
        """Note that its tool runs now."""
        if attempt in self._begun:
            self._begun[attempt] = True
            self.outbox.add_started(attempt)

    def ended(self, outcome: Outcome) -> None:
        """Note how an attempt ended; the first outcome of an attempt counts."""
        if self._begun.pop((outcome.quest, outcome.epoch), None) is not None:
            self.outbox.add_outcome(outcome)

    def withdrawn(self, attempt: AttemptId) -> None:
        """Note that it was taken back, unbegun: Goodbye gives it away."""
        self._begun.pop(attempt, None)

    def progress(self, progress: Progress) -> None:
        """Note what a running tool says of itself."""
        if (progress.quest, progress.epoch) in self._begun:
            self.outbox.add_progress(progress)

    def logged(self, attempt: AttemptId, lines: Iterable[LogLine]) -> None:
        """Note log lines; of an ended attempt only before its outcome was noted."""
        if attempt in self._begun:
            self.outbox.add_lines(attempt, lines)

    def beats(self, attempts: Iterable[AttemptId]) -> None:
        """Note which attempts live, every ``hold_us / 2``."""
        self.outbox.add_beats(a for a in attempts if self._begun.get(a))

    def stuck(self, slots: int) -> None:
        """Note how many slots are held by tools that do not end. When it is all of them, the instance does."""
        self._stuck = slots
        if slots >= self.offer.capacity:
            self.drain("every slot is held by a tool that does not end", EXIT_STUCK)

    def drain(self, reason: str, code: int = EXIT_DRAINED) -> None:
        """Begin nothing more and end when nothing runs. The first code other than 0 counts."""
        self._exit_code = self._exit_code or code
        if self.draining:
            return
        self.draining = True
        self._why_drain = reason
        self._withdraw()

    def poll(self, now: int) -> list[Effect]:
        """Say what to do now."""
        self._expire(now)
        self._begin(now)
        self._speak(now)
        self._leave(now)
        effects = list(self._effects)
        self._effects.clear()
        return effects

    def next_wake(self, now: int) -> int:
        """Tell when to poll again if nothing happens before."""
        wakes = [opened.expires_us for opened in self._open.values()]
        if self._open:
            wakes.append(self._silent_at())
        elif self.phase == "greeting":
            wakes.append(self._quiet_until_us)
        pauses = (self._quiet_until_us, self._idle_until_us, self._linger_until_us)
        wakes += [at for at in pauses if at > now]
        if self.outbox.chatter and self.phase == "talking" and self._chatter_us > now:
            wakes.append(self._chatter_us)
        if self.outbox.outcomes:
            wakes.append(self._resend_us)
        if self.offer.started_by is not None and not self.draining:
            wakes.append(self._heard_us + pace.PATIENCE_US)
        if self.draining and not self._begun and self.phase != "parting":
            wakes.append(self._heard_us + self._patience())
        return max(now, min(wakes, default=now + self.hold_us))

    def _acknowledge(self, work: Work, now: int) -> None:
        if work.acks:
            self.outbox.acknowledge(work.acks)
            self._resend_us = now + 2 * self.hold_us

    def _welcome(self, welcome: Welcome, now: int) -> None:
        self.phase = "talking"
        self.boot = welcome.boot
        self.hold_us = max(pace.HOLD_MIN_US, welcome.hold_ms * 1000)
        self._peer_frame_max = min(self.offer.frame_max, welcome.frame_max)
        self._received = 0
        self._said = (0, 0, False)
        self._failures = 0
        self._quiet_until_us = now
        self._resend_us = now + 2 * self.hold_us
        for attempt in (a for a, began in self._begun.items() if began):
            self.outbox.add_started(attempt)  # Hello.held does not tell what waits from what runs
        if self.offer.started_by not in {None, welcome.boot}:
            self.drain("the daemon that started this agent is gone")

    def _work(self, ticket: int, work: Work) -> None:
        self._answered = max(self._answered, ticket)
        self._failures = 0
        for item in work.items:
            if item.number > self._received + 1:
                break
            if item.number == self._received + 1:
                self._received = item.number
                self._accept(item)
        if work.drain:
            self.drain("the daemon asked for it")

    def _idle_answer(self, work: Work, waited_us: int) -> bool:
        """Tell whether a daemon answers at once with nothing: asking again at once would spin."""
        return waited_us < pace.SPIN_GUARD_US and not (work.items or work.acks or self._live())

    def _accept(self, item: WorkItem) -> None:
        attempt = (item.quest, item.epoch)
        if isinstance(item, Cancellation):
            self._cancel(attempt, item.reason)
        elif not (
            attempt in self._queue or attempt in self._begun or attempt in self.outbox.outcomes
        ):
            self._queue[attempt] = item

    def _cancel(self, attempt: AttemptId, reason: str) -> None:
        if attempt in self._begun:
            self._effects.append(Cancel(attempt, reason))
        elif attempt not in self.outbox.outcomes:
            self._queue.pop(attempt, None)
            self.outbox.add_outcome(Cancelled(*attempt))

    def _greet_again(self, opened: Opened, now: int) -> None:
        self.outbox.restore(opened.parcel)
        self._forget_open()
        if self.phase == "talking":
            self.phase = "greeting"
            self.trusted_until_us = 0
            self._queue.clear()
            self._quiet_until_us = now
            self._withdraw()

    def _withdraw(self) -> None:
        """Take back what was not begun."""
        self._effects.extend(Withdraw(a) for a, began in self._begun.items() if not began)

    def _denied(self, opened: Opened, denied: Denied, now: int) -> None:
        self.outbox.restore(opened.parcel)
        if denied.fatal:
            self._end(EXIT_DENIED, f"{denied.kind}: {denied.message}")
            return
        self._back_off(now)

    def _expire(self, now: int) -> None:
        if self._open and now >= self._silent_at():
            self._effects.append(Redial())
            for ticket in list(self._open):
                self.lost(ticket, now)
        for ticket, opened in list(self._open.items()):
            if now >= opened.expires_us:
                if self.phase == "greeting":
                    self._effects.append(Redial())
                self.lost(ticket, now)
        if self._orphaned(now):
            self.drain("the daemon that started this agent is gone", EXIT_UNREACHABLE)
        if self.outbox.outcomes and now >= self._resend_us:
            self._resend_us = now + 2 * self.hold_us
            self.outbox.resend_all()

    def _orphaned(self, now: int) -> bool:
        bound = self.offer.started_by is not None and not self.draining
        return bound and now >= self._heard_us + pace.PATIENCE_US

    def _silent_at(self) -> int:
        """Tell when silence means a dead link: two holds after the last word, or after the oldest open frame."""
        oldest = min(opened.sent_us for opened in self._open.values())
        return max(self._heard_us, oldest) + 2 * self.hold_us

    def _back_off(self, now: int) -> None:
        """Wait a little before the next frame, longer each time: a peer that hangs up must not make a busy loop."""
        wait = min(pace.BACKOFF_MAX_US, pace.BACKOFF_MIN_US << min(self._failures, 10))
        self._failures += 1
        self._quiet_until_us = max(self._quiet_until_us, now + wait)

    def _forget_open(self) -> None:
        for opened in self._open.values():
            self.outbox.restore(opened.parcel)
        self._open.clear()

    def _begin(self, now: int) -> None:
        if self.draining or now > self.trusted_until_us:
            return
        slots = self.offer.capacity - self._stuck + self.offer.ahead
        while self._queue and len(self._begun) < slots:
            attempt = next(iter(self._queue))
            self._begun[attempt] = False
            self._effects.append(Begin(self._queue.pop(attempt)))

    def _speak(self, now: int) -> None:
        if self.phase == "greeting":
            # Hello says what is held: not in the same breath, but when it is known what could be taken back.
            taking_back = any(isinstance(effect, Withdraw) for effect in self._effects)
            if not (self._open or taking_back) and now >= self._quiet_until_us:
                self._send_hello(now)
            return
        while self.phase == "talking" and self._may_open(now):
            self._send_exchange(now)

    def _may_open(self, now: int) -> bool:
        if now < self._quiet_until_us or len(self._open) >= pace.OPEN_MAX:
            return False
        if now < self._linger_until_us and not self.outbox.outcomes_wait:
            return False
        live = self._live()
        if live == 0:
            return now >= self._idle_until_us or self._has_news(now)
        return live == 1 and self._has_news(now)

    def _has_news(self, now: int) -> bool:
        if self.outbox.urgent or self._said != (self._received, self._stuck, self.draining):
            return True
        return self.outbox.chatter and now >= self._chatter_us

    def _send(self, frame: AgentFrame, parcel: Parcel, timeout_us: int, now: int) -> None:
        self._open[self._counter] = Opened(now, now + timeout_us, parcel)
        self._effects.append(Send(self._counter, frame, timeout_us))

    def _live(self) -> int:
        return sum(counter > self._answered for counter in self._open)

    def _send_hello(self, now: int) -> None:
        self._counter += 1
        held = (*self._queue, *self._begun)
        hello = greeting(self.offer, self._counter, held, draining=self.draining)
        full = self.outbox.fill_hello(hello, self._peer_frame_max)
        self._send(full, Parcel(full.outcomes), pace.GREETING_TIMEOUT_US, now)

    def _send_exchange(self, now: int) -> None:
        self._counter += 1
        opened = tuple(self._open)
        parcel = self.outbox.take(pace.room_bytes(self._peer_frame_max))
        self._said = (self._received, self._stuck, self.draining)
        self._chatter_us = now + pace.CHATTER_INTERVAL_US
        head = (self.offer.incarnation, self.boot, self._counter, self._received, opened)
        bare = Exchange(*head, stuck=self._stuck, draining=self.draining)
        self._send(loaded(bare, parcel), parcel, 2 * self.hold_us + 1_000_000, now)

    def _leave(self, now: int) -> None:
        if not self.draining or self._begun or self.phase in {"parting", "ended"}:
            return
        if self.outbox.empty and self.phase == "talking":
            self.phase = "parting"
            self._forget_open()
            self._counter += 1
            goodbye = Goodbye(self.offer.incarnation, self.boot, self._why_drain)
            self._send(goodbye, Parcel(), pace.PARTING_TIMEOUT_US, now)
        elif now >= self._heard_us + self._patience():
            code = self._exit_code or EXIT_UNREACHABLE
            self._end(code, f"{self._why_drain}; the daemon does not answer")

    def _patience(self) -> int:
        if self._exit_code == EXIT_STUCK:
            return pace.STUCK_PATIENCE_US
        return pace.PATIENCE_US if self.outbox.empty else pace.DELIVERY_PATIENCE_US

    def _end(self, code: int, reason: str) -> None:
        self.phase = "ended"
        self._open.clear()
        self._effects.append(Exit(code, reason))
