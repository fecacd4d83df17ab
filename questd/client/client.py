"""``Client``: each command of the command line as a method of the same name (``quest agent list`` is ``agent_list``).

Invariant: what a method returns is what its command prints with ``--json``. Documents are parsed here, events are folded here; the
daemon is asked for facts. Blocking; any thread.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from questd.client.credentials import Credentials, FilePath
from questd.client.errors import InvalidInput, NotFound, QuestFailed
from questd.client.following import Following, Texts
from questd.client.history import Table
from questd.client.home import Home
from questd.client.questions import DEFAULT_STATISTICS, ROWS, TIMEOUT_MS, History
from questd.client.results import output_of
from questd.client.schedules import SchedulesOfClient
from questd.client.session import Session
from questd.client.templates import TemplatesOfClient
from questd.messages import control as ctl
from questd.messages.address import step_of
from questd.messages.control import InstanceView
from questd.messages.definition import QuestDefinition
from questd.messages.heads import WAITS_TOLD, ListFilter
from questd.messages.payload import encode_json
from questd.views.events import EventView, LogView, event_view, log_views
from questd.views.quests import list_row
from questd.views.shapes import (
    AwaitedView,
    QuestList,
    QuestView,
    SentView,
    SubmittedView,
    awaited_of,
)

if TYPE_CHECKING:
    from questd.builder import Quest
    from questd.runtime.journal.backup import Backup

WAIT_MS: Final = 20_000
"""How long one question for news is held open."""
LIST_PAGE: Final = 1_000
"""Quests that one question of ``signal_list`` asks for."""
RESTING: Final = ("waiting", "running")
"""Statuses that a quest at rest can have: one whose children run is shown as running."""


class Client(SchedulesOfClient, TemplatesOfClient):
    """Finds the daemon by its data directory, as the command line does: ``data``, ``config`` and ``connect`` are its options.

    Methods that only read work without a daemon too; ``run`` starts one for as long as it takes. ``token_file`` and ``tls_…`` are for
    an address of another host (docs/remote.md), and by default what ``$QUESTD_TOKEN_FILE`` and ``$QUESTD_TLS_…`` name.
    """

    def __init__(
        self,
        data: str | Path | None = None,
        *,
        config: str | Path | None = None,
        connect: str | None = None,
        token_file: FilePath | None = None,
        tls_authority: FilePath | None = None,
        tls_server_name: str | None = None,
        tls_certificate: FilePath | None = None,
        tls_key: FilePath | None = None,
        actor: str = "client",
        home: Home | None = None,
    ) -> None:
        self._home = home or Home(
            data=None if data is None else Path(data),
            config=None if config is None else Path(config),
            connect=connect,
            credentials=Credentials(
                token_file=token_file,
                tls_authority=tls_authority,
                tls_server_name=tls_server_name,
                tls_certificate=tls_certificate,
                tls_key=tls_key,
            ),
        )
        self._actor = actor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up. Closing twice is fine."""
        self._home.close()

    # -- starting ----------------------------------------------------------------------------------

    def submit(
        self,
        quest: "str | Path | QuestDefinition | Quest",
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        key: str | None = None,
        project: str | None = None,
        labels: Mapping[str, str] | None = None,
        priority: int | None = None,
        deadline: str | None = None,
        timeout: str | None = None,
        **named_inputs: Any,
    ) -> SubmittedView:
        """Start a quest and return once it is on disk. ``quest``: a file, a built quest or a definition.

        Inputs by name, or in ``inputs`` where a name is an option of this method. ``deadline`` and ``timeout`` as in "2h".
        InvalidDocument and InvalidInput carry every fault.
        """
        from questd.client.submitting import definition_of, submit_of  # noqa: PLC0415 - 80 ms

        request = submit_of(
            definition_of(quest),
            {**(inputs or {}), **named_inputs},
            now_us=time.time_ns() // 1_000,
            key=key,
            project=project,
            labels=labels,
            priority=priority,
            deadline=deadline,
            timeout=timeout,
        )
        return self.submit_request(request)

    def submit_request(self, request: ctl.Submit) -> SubmittedView:
        """Send a request that was made before (submitting.py)."""
        submitted = self._home.daemon().ask(request, ctl.Submitted)
        return SubmittedView(submitted.quest, submitted.created)

    def run(
        self,
        quest: "str | Path | QuestDefinition | Quest",
        inputs: Mapping[str, Any] | None = None,
        /,
        **options_and_inputs: Any,
    ) -> QuestView:
        """Submit (same arguments), wait for the end, and return what ``show`` says of it; its ``output`` is the result.

        QuestFailed when it failed or was cancelled. Waits as long as it takes, also for a person.
        """
        from questd.client.submitting import definition_of  # noqa: PLC0415 - 80 ms

        definition = definition_of(quest)
        with Session(self._home) as session:
            submitted = self.submit(definition, inputs, **options_and_inputs)
            following = Following(self._home.daemon(), submitted.id)
            while not following.ended:
                following.poll(1_000)
                session.agents.tend()
            view = following.view()
        if view.status != "completed":
            raise QuestFailed(view)
        return view

    def call(
        self,
        agent: str | None,
        tool: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        /,
        *,
        capability: str | Sequence[str] = (),
        **options: Any,
    ) -> Any:
        """Call one tool, without a document, and return its result. ``options`` as of ``submit``. QuestFailed when it failed."""
        from questd.client.calling import call_of  # noqa: PLC0415 - 80 ms

        capabilities = (capability,) if isinstance(capability, str) else tuple(capability)
        definition, inputs = call_of(agent, tool, arguments or {}, capabilities)
        return self.run(definition, inputs, **options).output

    # -- looking -----------------------------------------------------------------------------------

    def show(self, quest: str) -> QuestView:
        """All that is known of a quest. ``quest``: its id, or the start of it."""
        return self.follow(quest).view()

    def follow(self, quest: str) -> Following:
        """The quest, read to its last event so far."""
        following = Following(self._home.reader(), quest)
        following.catch_up()
        return following

    def list(
        self,
        *,
        status: Sequence[str] = (),
        template: str | None = None,
        project: str | None = None,
        labels: Mapping[str, str] | None = None,
        since: str | None = None,
        text: str | None = None,
        waiting_longer_than: str | None = None,
        limit: int = 50,
        after: str | None = None,
        payloads: bool = True,
    ) -> QuestList:
        """Quests, newest first. ``since``: a duration back, or RFC 3339. Without ``payloads`` inputs and output stay null."""
        from questd.client.filters import filter_of  # noqa: PLC0415

        wanted = filter_of(
            now_us=time.time_ns() // 1_000,
            status=status,
            template=template,
            project=project,
            labels=labels,
            since=since,
            text=text,
            waiting_longer_than=waiting_longer_than,
            limit=limit,
            after=after,
        )
        return self.list_filtered(wanted, payloads=payloads)

    def list_filtered(self, wanted: ListFilter, *, payloads: bool = True) -> QuestList:
        """The same for a filter that was made before (filters.py)."""
        link = self._home.reader()
        found = link.ask(ctl.ListQuests(wanted), ctl.Heads)
        texts = Texts(link) if payloads else None
        rows = zip(found.heads, found.first, found.last, strict=True)
        return QuestList(tuple(list_row(*row, texts) for row in rows), found.next)

    def watch(self, quest: str, *, after: int = 0) -> Iterator[EventView]:
        """The events with n > ``after`` as they happen, until the quest has ended. A restart of the daemon is waited out."""
        following = Following(self._home.reader(), quest)
        while not following.ended:
            for record in following.poll(WAIT_MS):
                if record.n > after:
                    yield event_view(record, following.texts)

    def logs(
        self, quest: str, *, task: str | None = None, follow: bool = False
    ) -> Iterator[LogView]:
        """What its tools wrote with ``ctx.log``. ``task``: a task's id, or a step's key for all its items; ``follow``: go on until the quest has ended."""
        following = Following(self._home.reader(), quest)
        more = True
        while more:
            records = following.poll(WAIT_MS if follow else 0)
            for record in records:
                lines = log_views(record)
                yield from (line for line in lines if task in (None, line.task, step_of(line.task)))
            more = not following.ended if follow else bool(records)

    def output(self, quest: str, *, step: str | None = None) -> Any:
        """What the quest gave, or one of its steps or items. QuestFailed when it failed, Refused while it runs."""
        return output_of(self.show(quest), step)

    # -- steering ------------------------------------------------------------------------------------

    def cancel(self, quest: str, *, reason: str = "cancelled by request") -> bool:
        """Whether that changed anything. Running attempts are asked to end, and abandoned after a grace."""
        request = ctl.CancelQuest(quest, reason, self._actor)
        return self._home.daemon().ask(request, ctl.Done).changed

    def resolve(
        self, quest: str, choice: str, *, task: str | None = None, result: Any = None
    ) -> bool:
        """Answer what a quest waits for a person to decide; ``task`` where several do.

        ``result``: a plain value, with choice "complete"; with "more" it may be how much, as ``{"tokens": 5000}``.
        Refused when somebody else was first.
        """
        gives = choice == "complete" or (choice == "more" and result is not None)
        text = encode_json(result) if gives else None
        request = ctl.ResolveTask(quest, choice, self._actor, task or "", text)
        return self._home.daemon().ask(request, ctl.Done).changed

    def signal_send(
        self, quest: str, name: str, payload: Any = None, *, key: str | None = None
    ) -> SentView:
        """Send a quest a signal. The step that has waited longest for its name takes it; before any does, it is kept.

        ``key``: sent again with the same key it is the same signal. Refused when no step is left that could take it; InvalidInput
        when none ever waits for that name.
        """
        request = ctl.SendSignal(quest, name, encode_json(payload), self._actor, key)
        done = self._home.daemon().ask(request, ctl.Done)
        return SentView(quest, name, done.changed, done.message)

    def signal_list(self, quest: str | None = None) -> tuple[AwaitedView, ...]:
        """The signals that a quest waits for, or all resting quests do.

        The row of a quest names its first waits only: one that may have more is looked at itself.
        """
        if quest is not None:
            view = self.show(quest)
            return awaited_of(view.id, view.waiting_for)
        found: list[AwaitedView] = []
        after: str | None = None
        while True:
            page = self.list(status=RESTING, payloads=False, limit=LIST_PAGE, after=after)
            for row in page.quests:
                all_told = len(row.waiting_for) < WAITS_TOLD
                waits = row.waiting_for if all_told else self.show(row.id).waiting_for
                found += awaited_of(row.id, waits)
            after = page.next
            if after is None:
                return tuple(found)

    # -- agents --------------------------------------------------------------------------------------

    def agent_list(self) -> tuple[InstanceView, ...]:
        """The connected instances, by name."""
        return self._home.daemon().ask(ctl.ListAgents(), ctl.Agents).instances

    def agent_show(self, name: str) -> tuple[InstanceView, ...]:
        """The instances of one agent, with their tools. NotFound when none is connected."""
        found = self._home.daemon().ask(ctl.ListAgents(name), ctl.Agents).instances
        if not found:
            known = sorted({one.agent for one in self.agent_list()})
            others = f"connected are {', '.join(known)}" if known else "none is"
            raise NotFound(f"no agent {name!r} is connected; {others}")
        return found

    def agent_drain(self, name: str, *, instance: str | None = None) -> bool:
        """Give an agent (or one instance, by the start of its id) no new work; what runs there may end."""
        return self._home.daemon().ask(ctl.DrainAgent(name, instance), ctl.Done).changed

    def missing(self) -> ctl.MissingAgents:
        """Which agents and capabilities tasks wait for that nobody connected offers."""
        return self._home.daemon().ask(ctl.Missing(), ctl.MissingAgents)

    def ping(self) -> ctl.DaemonInfo:
        """Who is there?"""
        return self._home.daemon().ask(ctl.Ping(), ctl.DaemonInfo)

    # -- history -------------------------------------------------------------------------------------

    def sql(
        self,
        sql: str,
        parameters: Sequence[Any] = (),
        *,
        limit: int = ROWS,
        timeout_ms: int = TIMEOUT_MS,
    ) -> Table:
        """As ``History.sql``."""
        return History(home=self._home).sql(sql, parameters, limit=limit, timeout_ms=timeout_ms)

    def stats(
        self,
        names: Sequence[str] = DEFAULT_STATISTICS,
        *,
        project: str | None = None,
        template: str | None = None,
        since: str | None = None,
    ) -> dict[str, Table]:
        """As ``History.stats``. ``since``: a duration back, or RFC 3339."""
        from questd.client.filters import since_us  # noqa: PLC0415

        moment = None if since is None else since_us("since", since, time.time_ns() // 1_000)
        history = History(home=self._home)
        return history.stats(names, project=project, template=template, since_us=moment)

    # -- the house -----------------------------------------------------------------------------------

    def backup(
        self, target: str | Path, *, told: Callable[[int, int], object] | None = None
    ) -> "Backup":
        """Copy the journal as it stands now; the daemon need not be there and is not held up.

        ``target``: a directory that is not there yet (serve it to restore), or FILE.db. ``told`` hears (bytes copied, bytes in all).
        Refused when something is there already, and from another host.
        """
        from questd.runtime.journal.backup import back_up  # noqa: PLC0415 - only here

        home = self._home
        home.need_here("a journal is copied")
        data = home.settings.data if home.connect is None else Path(self.ping().data)
        return back_up(data, Path(target), clock_us=lambda: time.time_ns() // 1_000, told=told)

    # -- documents -----------------------------------------------------------------------------------

    def validate(self, quest: "str | Path | QuestDefinition | Quest") -> QuestDefinition:
        """The checked definition. InvalidDocument with every fault."""
        from questd.client.submitting import definition_of  # noqa: PLC0415 - 80 ms

        return definition_of(quest)

    def graph(self, quest: "str | Path | QuestDefinition | Quest", *, fmt: str = "text") -> str:
        """The graph as "text", "mermaid" or "svg"."""
        from questd.documents import draw_mermaid, draw_svg, draw_text  # noqa: PLC0415 - 80 ms

        drawings = {"text": draw_text, "mermaid": draw_mermaid, "svg": draw_svg}
        if fmt not in drawings:
            raise InvalidInput(f"there is no format {fmt!r}: choose text, mermaid or svg")
        return drawings[fmt](self.validate(quest))
