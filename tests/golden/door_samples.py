"""One value of every message of the control and of the history door; each field differs from its default."""

from msgspec import Raw, Struct

from questd.messages import control as ctl
from questd.messages import history as hi
from questd.messages import templates as tp
from questd.messages.events import Record
from questd.messages.heads import Head, ListFilter
from questd.messages.remote import Bearer
from tests.golden.samples import HEAD_PARTS, QUEST, SCHEDULE, SPEC, T_US

DIGEST = "338e907d220ddc5336a9e4213c051dd95a8a8fd5e22e88e65d8ded79a785538c"
RECORD = Record(17, QUEST, 2, T_US, "quest.started", 1, b"\x91\xadquest.started")
WANT, WAIT = HEAD_PARTS
HEAD = Head(
    quest=QUEST,
    version=9,
    status="waiting",
    definition=DIGEST,
    name="review",
    template_version="1.0",
    project="payments",
    labels={"team": "core"},
    key="once",
    priority=7,
    created_us=T_US,
    finished_us=T_US + 2,
    wake_us=T_US + 1,
    wants=(WANT,),  # type: ignore[arg-type]
    waits=(WAIT,),  # type: ignore[arg-type]
    parked="it failed four times",
    deaths=2,
)

TEMPLATE = tp.TemplateRow("leaf", "1.0", "does a part", 3, T_US, archived=True)

BEARER = Bearer("a long random text", Raw(ctl.encode_control(ctl.CancelQuest(QUEST, "why", "ann"))))

REQUESTS: tuple[Struct, ...] = (
    ctl.Ping(),
    ctl.Submit(
        definition=b"\x82\xa4name",
        inputs=b'{"n":7}',
        key="once",
        project="payments",
        labels={"team": "core"},
        priority=7,
        deadline_us=T_US + 1,
        total_timeout_ms=60_000,
    ),
    ctl.ReadQuest(QUEST, 4, 100, 20_000, definition=True, seen_progress=3, until_end=True),
    ctl.ReadBlobs((DIGEST,)),
    ctl.ListQuests(
        ListFilter(
            status=("running", "waiting"),
            name="review",
            project="payments",
            labels={"team": "core"},
            since_us=T_US,
            text="rev",
            waiting_since_us=T_US + 1,
            limit=10,
            after=QUEST,
        )
    ),
    ctl.CancelQuest(QUEST, "not needed", "ann"),
    ctl.ResolveTask(QUEST, "complete", "ann", "audit", b'"by hand"'),
    ctl.ListAgents("security"),
    ctl.DrainAgent("security", "i-1"),
    ctl.Missing(),
    tp.AddTemplate(b"\x82\xa4name"),
    tp.ListTemplates(archived=True),
    tp.ReadTemplate("leaf@1.0"),
    tp.ArchiveTemplate("leaf@1.0", archived=False),
    tp.RemoveTemplate("leaf@1.0"),
    ctl.StopDaemon(),
    ctl.AddSchedule("nightly", SPEC, b"\x82\xa4name", "ann"),
    ctl.ChangeSchedule("nightly", SPEC, b"\x82\xa4name", "ann"),
    ctl.PauseSchedule("nightly", "ann"),
    ctl.ResumeSchedule("nightly", "ann"),
    ctl.RemoveSchedule("nightly", "ann"),
    ctl.BackfillSchedule("nightly", T_US, T_US + 1, "ann"),
    ctl.ListSchedules("nightly"),
    ctl.SendSignal(QUEST, "payment", b'{"sum":5}', "ann", "once"),
)

TOOL = ctl.ToolView(
    name="scan",
    capabilities=("security",),
    timeout_ms=9_000,
    idempotent=False,
    input_schema={"type": "object"},
    output_schema={"type": "array"},
    description="finds what should not be there",
)
INSTANCE = ctl.InstanceView(
    agent="security",
    instance="i-1",
    host="host",
    pid=42,
    sdk="python 0.1.0",
    capabilities=("security", "python"),
    labels={"gpu": 1, "fast": True, "zone": "a", "load": 0.5},
    capacity=4,
    prefetch=8,
    in_flight=3,
    stuck=1,
    draining=True,
    connected_us=T_US,
    heard_us=T_US + 1,
    completed=100,
    failed=2,
    tools=(TOOL,),
)

REPLIES: tuple[Struct, ...] = (
    ctl.DaemonInfo(
        boot="b-1",
        version="0.1.0",
        pid=41,
        data="/var/lib/questd",
        started_us=T_US,
        addresses={"control": "ipc:///run/q/c"},
        ready=True,
        gauges={"journal_queue": 3},
    ),
    ctl.Submitted(QUEST, created=True),
    ctl.QuestRecords(
        head=HEAD,
        records=(RECORD,),
        more=True,
        definition=b"\x82\xa4name",
        progress=(ctl.TaskProgress("audit", 0.5, "half", T_US),),
        progress_version=4,
    ),
    ctl.Blobs({DIGEST: b'"text"'}),
    ctl.Heads((HEAD,), (RECORD,), (None, RECORD), QUEST),
    ctl.Agents((INSTANCE,)),
    tp.Templates((TEMPLATE,)),
    tp.TemplateText(TEMPLATE, b"\x82\xa4name"),
    tp.TemplateAdded(TEMPLATE, created=True),
    ctl.MissingAgents((("security", ("python",), 3, T_US),)),
    ctl.Schedules(
        (
            ctl.ScheduleView(
                id=SCHEDULE,
                name="nightly",
                spec=SPEC,
                definition=DIGEST,
                document="review",
                version="1.0",
                paused=True,
                created_us=T_US,
                changed_us=T_US + 1,
                next_us=(T_US + 2,),
                running=(QUEST,),
                put_off_us=T_US + 3,
                backlog=2,
                recent=(
                    ctl.OccasionView(
                        T_US, "due", T_US + 1, T_US + 2, QUEST, "refused", "invalid: no"
                    ),
                ),
                fault="its actor failed too often",
                files=12,
                changing=True,
                troubles=("/docs/shut: Permission denied",),
            ),
        )
    ),
    ctl.Done(changed=False, message="it was so already"),
    ctl.Error("busy", "too many submits at once", 200, ("steps[0].agent: unknown",)),
)

HISTORY_REQUESTS: tuple[Struct, ...] = (
    hi.Query("select ?", b"[1]", "arrow", 5, 1_000, 500),
    hi.HistoryStatus(),
)
HISTORY_REPLIES: tuple[Struct, ...] = (
    hi.Rows(("n",), ("BIGINT",), b"[[1]]", 1, truncated=True, lag=3),
    hi.HistoryInfo(17, 20, 150, "/var/lib/questd/history.duckdb", 43, "it was damaged"),
    hi.HistoryError("sql", "there is no table quest"),
)
