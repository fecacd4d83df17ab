"""One value of every message that stays on disk or travels between versions; each field differs from its default."""

from msgspec import Struct, structs

from questd.messages import definition as de
from questd.messages import events as ev
from questd.messages import exchange as ex
from questd.messages import heads as he
from questd.messages import schedules as sc
from questd.messages.failure import Failure
from questd.messages.payload import BlobRef

QUEST = "q_01h2xcejqtf2nbrexx3vqjhp41"
T_US = 1_700_000_000_123_456
FAILURE = Failure("rate_limit", "slow down", "audit", retryable=False, retry_after_ms=2_500)
BLOB = BlobRef("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", 70_000)

EVENTS: tuple[Struct, ...] = (
    ev.QuestSubmitted(
        definition="a" * 64,
        name="review",
        version="1.0",
        project="payments",
        inputs=b'{"git_diff":"+1"}',
        labels={"team": "core"},
        priority=7,
        deadline_us=T_US + 1,
        total_timeout_ms=60_000,
        key="once",
        secrets={"token": "env:TOKEN"},
        uses={"leaf": "b" * 64, "leaf@1.0": "b" * 64},
    ),
    ev.QuestStarted(),
    ev.AttemptStarted("audit", 2, "security", "i-1", "scan", idempotent=False, timeout_ms=9_000),
    ev.AttemptCompleted("audit", 3, BLOB, 1_500, 120, 0.25, "a-model", 0.75),
    ev.AttemptFailed("audit", 3, FAILURE, T_US + 2, 1_500, 120, 0.25, "a-model"),
    ev.AttemptLost("audit", 3, "its agent vanished", begun=False),
    ev.AttemptCancelled("audit", 3, "the quest is ending", abandoned=True),
    ev.AttemptRefused("audit", 3, "completed", "superseded"),
    ev.AttemptLogged("audit", 3, (ev.LogLine(T_US, "looking", b'{"n":1}'),)),
    ev.TaskFailed("audit", FAILURE, continued=True, result=b'"given"'),
    ev.TaskCompleted("audit", b'"by hand"', "ann"),
    ev.BreakpointOpened("audit", "lost_attempt", "again?", ("retry", "complete", "fail")),
    ev.BreakpointResolved(9, "audit", "more", "ann", 5_000, 0.5),
    ev.CancelRequested("not needed", "ann"),
    ev.QuestStopping(FAILURE),
    ev.QuestCompleted(b"[1.0,1,null]", ("audit",)),
    ev.QuestFailed(FAILURE),
    ev.QuestCancelled("not needed"),
    ev.TaskAllowed("audit"),
    ev.TaskSkipped("audit", "when: parse.result"),
    ev.TaskFellBack("audit", 1, FAILURE),
    ev.TaskExpanded("audit", (b"1", BLOB)),
    ev.TaskGathered("audit", b"[1,null]"),
    ev.TaskPlanned("audit", (de.StepDefinition("more", agent="a", dependencies=("audit",)),)),
    ev.TaskAccepted("audit@2", exhausted=True),
    ev.TaskSentBack("audit", "parse", b'"be brief"'),
    ev.SignalReceived("payment", b'{"sum":5}', "ann", "once"),
    ev.TaskSignalled("paid", 9, BLOB),
    ev.TaskDefaulted("paid", b'"nobody"'),
    ev.TaskWoke("cool"),
)

SCHEDULE = "s_01h2xcejqtf2nbrexx3vqjhp41"
SPEC = sc.ScheduleSpec(
    trigger=sc.Cron("0 3 * * MON-FRI", "Europe/Berlin", "all"),
    overlap="queue",
    inputs=b'{"day":"{{ due }}"}',
    project="payments",
    labels={"team": "core"},
    priority=7,
    total_timeout_ms=60_000,
)
SCHEDULE_EVENTS: tuple[Struct, ...] = (
    sc.ScheduleAdded(
        "nightly",
        SPEC,
        "a" * 64,
        "review",
        "1.0",
        "ann",
        T_US,
        paused=True,
        renews=SCHEDULE,
        mark=17,
    ),
    sc.ScheduleChanged(
        sc.ScheduleSpec(sc.AfterQuest("review", ("failed",), "payments")),
        "a" * 64,
        "review",
        "1.0",
        "ann",
        17,
    ),
    sc.ScheduleChanged(
        sc.ScheduleSpec(sc.FilesChanged(("/docs/**/*.md",), 5_000)),
        "a" * 64,
        "review",
        "1.0",
        "ann",
    ),
    sc.SchedulePaused("ann"),
    sc.ScheduleResumed("ann", 17),
    sc.ScheduleRemoved("ann"),
    sc.ScheduleRenewed(SCHEDULE),
    sc.ScheduleFired("2026-01-31T02:00:00Z", T_US, "backfill"),
    sc.ScheduleSubmitted("2026-01-31T02:00:00Z", QUEST, created=False),
    sc.ScheduleRefused("2026-01-31T02:00:00Z", "invalid", "the inputs do not fit"),
    sc.ScheduleRunEnded(QUEST, "completed"),
    sc.SchedulePutOff(T_US),
    sc.ScheduleBacklogged((T_US, T_US + 1), "caught_up", "ann"),
    sc.ScheduleSkipped(T_US, T_US + 1, "missed"),
    sc.ScheduleNoticed(f"{QUEST}:1", 17, b'{"id":"q"}'),
    sc.ScheduleIgnored(f"{QUEST}:9", "depth"),
    sc.ScheduleLooked(17),
    sc.ScheduleSaw((("/docs/a.md", 12, T_US),), ("/docs/b.md",)),
)

COMPLETED = ex.Completed(QUEST, 3, b'{"ok":true}', 1_500, 120, 0.25, "a-model", 0.75)
FAILED = ex.Failed(QUEST, 4, FAILURE, 1_500, 120, 0.25, "a-model")
CANCELLED = ex.Cancelled(QUEST, 5)
TOOL = ex.ToolSpec(
    "scan",
    (ex.Parameter("diff"), ex.Parameter("depth", required=False)),
    ("security",),
    9_000,
    idempotent=False,
    input_schema=b'{"type":"object"}',
    output_schema=b'{"type":"array"}',
    description="finds what should not be there",
    any_parameters=True,
)
INVOCATION = ex.Invocation(
    1, QUEST, 3, "audit", 2, "scan", b'{"diff":"+1"}', "0f" * 16, 9_000, 500, T_US + 1, 2
)

FRAMES: tuple[Struct, ...] = (
    ex.Hello(
        protocol=1,
        agent="security",
        incarnation="i-1",
        token="not-a-real-one",
        tools=(TOOL,),
        capabilities=("security", "python"),
        labels={"gpu": 1, "fast": True, "zone": "a", "load": 0.5},
        capacity=4,
        prefetch=8,
        frame_max=1_000_000,
        held=((QUEST, 3),),
        outcomes=(COMPLETED, FAILED, CANCELLED),
        host="host",
        pid=42,
        sdk="python 0.1.0",
        started_by="b-1",
        draining=True,
        counter=6,
    ),
    ex.Exchange(
        incarnation="i-1",
        boot="b-1",
        counter=7,
        ack=2,
        open=(5, 6),
        outcomes=(COMPLETED, FAILED, CANCELLED),
        started=((QUEST, 3),),
        beats=((QUEST, 3),),
        progress=(ex.Progress(QUEST, 3, 0.5, "half"),),
        logs=(ex.Logged(QUEST, 3, (ev.LogLine(T_US, "looking", b'{"n":1}'),)),),
        stuck=1,
        draining=True,
    ),
    ex.Goodbye("i-1", "b-1", "drained"),
    ex.Welcome(1, "b-1", 5_000, 1_000_000, "0.1.0"),
    ex.Work(7, (INVOCATION, ex.Cancellation(2, QUEST, 4, "why")), ((QUEST, 2),), drain=True),
    ex.Resync("b-2"),
    ex.Denied("token", "it is not the daemon's", fatal=False),
)

STEP = de.StepDefinition(
    key="audit",
    agent="security",
    capabilities=("python",),
    tool="scan",
    prompt="look at {{ git_diff }}",
    arguments={"depth": 2, "names": ["a", None, 1.5, True]},
    dependencies=("parse",),
    parallel=False,
    timeout_ms=9_000,
    heartbeat_timeout_ms=500,
    total_timeout_ms=60_000,
    retry=de.RetryPolicy(5, 100, 1.5, 9_000, 0.25, ("budget",)),
    on_error="continue_with_input",
    idempotent=False,
    priority=9,
)

STEP_2 = structs.replace(STEP, when="parse.result", allow_skipped=True)

STEP_3 = structs.replace(
    STEP_2, fallback=(de.Fallback("lite", tool="scan", timeout_ms=1_000), de.Fallback(None, ("x",)))
)

STEP_4 = structs.replace(STEP_3, for_each="parse.result", max_parallel=4, partial="continue")

STEP_5 = structs.replace(STEP_4, plan_steps=20)

STEP_6 = structs.replace(
    STEP_5, repeat=de.Repeat("result.ok", "parse", 5, {"notes": "{{ result.notes }}"}, "continue")
)

STEP_7 = structs.replace(STEP_6, use="code-review@1.0.0")
STEP_8 = de.StepDefinition(
    "paid", timeout_ms=9_000, wait_for=de.Awaited("payment", required=False, default=[None, 1])
)

DEFINITIONS: tuple[Struct, ...] = (
    de.QuestDefinition(name="least", steps=(de.StepDefinition("only", agent="a"),)),
    de.QuestDefinition(
        name="review",
        steps=(de.StepDefinition("parse", capabilities=("git",)), STEP),
        description="looks at a diff",
        version="1.0",
        project="payments",
        labels={"team": "core", "area": "risk"},
        priority=7,
        deadline="2h",
        total_timeout_ms=60_000,
        limits=de.QuestLimits(parallel=8, steps=100),
        default_timeout_ms=9_000,
        default_retry=de.RetryPolicy(2, 50, 3.0, 500, 0.5, ("auth",)),
        inputs={
            "git_diff": de.InputDefinition({"type": "string"}),
            "repo": de.InputDefinition({"type": "string"}, required=False, default="."),
        },
        output={"all": "{{ audit.result }}"},
    ),
    de.QuestDefinition(
        name="choice", steps=(de.StepDefinition("parse", agent="a"), STEP_2), inputs={}
    ),
    de.QuestDefinition(
        name="others", steps=(de.StepDefinition("parse", agent="a"), STEP_3), inputs={}
    ),
    de.QuestDefinition(
        name="items", steps=(de.StepDefinition("parse", agent="a"), STEP_4), inputs={}
    ),
    de.QuestDefinition(
        name="plan", steps=(de.StepDefinition("parse", agent="a"), STEP_5), inputs={}
    ),
    de.QuestDefinition(
        name="secretive",
        steps=(de.StepDefinition("only", agent="a", prompt="{{ token }}"),),
        inputs={"token": de.InputDefinition({"type": "string"}, secret=True)},
    ),
    de.QuestDefinition(
        name="rounds",
        steps=(de.StepDefinition("parse", agent="a"), STEP_6),
        limits=de.QuestLimits(rounds=7),
        inputs={},
    ),
    de.QuestDefinition(
        name="family", steps=(de.StepDefinition("parse", agent="a"), STEP_7), inputs={}
    ),
    de.QuestDefinition(
        name="patient", steps=(STEP_8, de.StepDefinition("cool", sleep_ms=30_000)), inputs={}
    ),
    de.QuestDefinition(
        name="thrifty",
        steps=(de.StepDefinition("parse", agent="a"),),
        limits=de.QuestLimits(tokens=500_000, cost=5.0),
        inputs={},
    ),
)

HEAD_PARTS: tuple[Struct, ...] = (
    he.Want(QUEST, "audit", "security", ("python",), "scan", 9, T_US),
    he.Wait("audit", "retry", "attempt 2", T_US, T_US + 1_000),
)
