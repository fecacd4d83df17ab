"""The options of each command. Standard library only."""

from argparse import SUPPRESS, ArgumentParser
from typing import Any, Final

GLOBAL_DEFAULTS: Final[dict[str, Any]] = {
    "data": None,
    "config": None,
    "connect": None,
    "json": False,
    "quiet": False,
    "verbose": False,
}
GLOBALS_HELP: Final = (
    "--data DIR      the data directory (default: $QUESTD_DATA, else .questd beside questd.toml)",
    "--config FILE   questd.toml (default: the nearest one upwards)",
    "--connect URL   a daemon's address",
    "--json          one JSON document on stdout",
    "--quiet         only what was asked for, and errors",
    "--verbose       more, and where an error comes from",
)
CODES_HELP: Final = (
    "0 done · 1 quest failed · 2 wrong usage, document or input · 3 cancelled",
    "4 waiting for a person · 5 not found · 6 daemon unreachable · 7 refused",
)


def everywhere(parser: ArgumentParser) -> None:
    """The global options. Suppressed defaults: one that stands before the verb is not undone by the verb's parser."""
    group = parser.add_argument_group("everywhere")
    group.add_argument("-h", "--help", action="help", default=SUPPRESS, help="this text")
    group.add_argument("--data", metavar="DIR", default=SUPPRESS, help="the data directory")
    group.add_argument("--config", metavar="FILE", default=SUPPRESS, help="questd.toml")
    group.add_argument("--connect", metavar="URL", default=SUPPRESS, help="a daemon's address")
    group.add_argument("--json", action="store_true", default=SUPPRESS, help="JSON on stdout")
    group.add_argument("--quiet", action="store_true", default=SUPPRESS, help="say less")
    group.add_argument("--verbose", action="store_true", default=SUPPRESS, help="say more")


def nothing(parser: ArgumentParser) -> None:
    """No options of its own."""
    del parser


def _document(parser: ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument(
        "document",
        metavar="FILE",
        nargs="?" if optional else None,
        help="a document, or a stored one's NAME[@VERSION]; - reads stdin",
    )


def _starting(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-i",
        "--input",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="inputs",
        help="an input; KEY=@FILE and KEY=@- take a file's text, @@ is a plain @",
    )
    parser.add_argument("--key", help="idempotency key: the same key, the same quest")
    parser.add_argument("--project", help="the project it counts for")
    _labels(parser)
    parser.add_argument("--priority", type=int, metavar="1..10", help="10 first")
    parser.add_argument(
        "--deadline", metavar="WHEN", help="due after 2h, or at 2030-01-31T12:00:00Z"
    )
    parser.add_argument(
        "--timeout", metavar="TIME", help="how long the whole quest may take, as 30m"
    )


def _labels(parser: ArgumentParser) -> None:
    parser.add_argument("--label", metavar="NAME=VALUE", action="append", default=[], dest="labels")


def run(parser: ArgumentParser) -> None:
    """``quest run``."""
    _document(parser, optional=True)
    _starting(parser)
    parser.add_argument(
        "--continue", metavar="ID", dest="go_on", help="go on with a quest that was begun"
    )


def submit(parser: ArgumentParser) -> None:
    """``quest submit``."""
    _document(parser)
    _starting(parser)


def call(parser: ArgumentParser) -> None:
    """``quest call``."""
    parser.add_argument("agent", metavar="AGENT", nargs="?", help="whom to call")
    parser.add_argument("tool", metavar="TOOL", nargs="?", help="its tool, if it has several")
    parser.add_argument(
        "--capability",
        metavar="NAME",
        action="append",
        default=[],
        dest="capabilities",
        help="instead of AGENT, or beside it: what the tool must be able to do",
    )
    _starting(parser)


def quest(parser: ArgumentParser) -> None:
    """A quest's id."""
    parser.add_argument("quest", metavar="ID", help="a quest's id, or the start of it")


def _filters(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("which quests")
    group.add_argument("--status", action="append", default=[], metavar="STATUS[,…]")
    group.add_argument("--template", metavar="NAME", help="of this document")
    group.add_argument("--project")
    group.add_argument("--label", metavar="NAME=VALUE", action="append", default=[], dest="labels")
    group.add_argument(
        "--since", metavar="WHEN", help="begun in the last 2h, or since 2030-01-31T12:00:00Z"
    )
    group.add_argument("--text", help="part of the name or id")
    group.add_argument("--waiting-longer-than", metavar="TIME", help="as 1h")
    group.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (50)")
    group.add_argument("--after", metavar="ID", help="the page behind this one")


def show(parser: ArgumentParser) -> None:
    """``quest show``."""
    quest(parser)
    parser.add_argument("--items", metavar="STEP", help="the items of this step instead")


def list_quests(parser: ArgumentParser) -> None:
    """``quest list``."""
    _filters(parser)


def watch(parser: ArgumentParser) -> None:
    """``quest watch``."""
    quest(parser)
    parser.add_argument("--after", type=int, default=0, metavar="N", help="events behind number N")


def logs(parser: ArgumentParser) -> None:
    """``quest logs``."""
    quest(parser)
    parser.add_argument(
        "--task",
        metavar="TASK",
        help="of one task, as step or step[3]; a step's are those of its items too",
    )
    parser.add_argument("--follow", action="store_true", help="go on until the quest has ended")


def output(parser: ArgumentParser) -> None:
    """``quest output``."""
    quest(parser)
    parser.add_argument(
        "step",
        metavar="STEP",
        nargs="?",
        help="the result of one step, or of one item, as step[3], instead",
    )


def cancel(parser: ArgumentParser) -> None:
    """``quest cancel``."""
    parser.add_argument("quests", metavar="ID", nargs="*", help="quests, or give filters instead")
    parser.add_argument("--reason", default="cancelled by request", help="kept in the history")
    _filters(parser)


def resolve(parser: ArgumentParser) -> None:
    """``quest resolve``."""
    quest(parser)
    parser.add_argument("choice", metavar="CHOICE", nargs="?", help="without it, you are asked")
    parser.add_argument("--task", metavar="TASK", help="where several tasks wait")
    parser.add_argument(
        "--result",
        metavar="VALUE",
        help="with complete: the result, JSON or text, or @FILE; with more: how much, {tokens, cost}",
    )


def signal_list(parser: ArgumentParser) -> None:
    """``quest signal list``."""
    parser.add_argument("quest", metavar="ID", nargs="?", help="of one quest, running or not")


def signal_send(parser: ArgumentParser) -> None:
    """``quest signal send``."""
    quest(parser)
    parser.add_argument("name", metavar="NAME", help="the signal, as wait_for names it")
    parser.add_argument(
        "payload", metavar="VALUE", nargs="?", help="what it brings, JSON or text, or @FILE"
    )
    parser.add_argument("--key", help="idempotency key: the same key, the same signal")


def validate(parser: ArgumentParser) -> None:
    """``quest validate``."""
    parser.add_argument("documents", metavar="FILE", nargs="*", help="a document; - reads stdin")
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of documents, for editors"
    )


def graph(parser: ArgumentParser) -> None:
    """``quest graph``."""
    _document(parser)
    parser.add_argument("--format", choices=("text", "mermaid", "svg"), default="text")


def template(parser: ArgumentParser) -> None:
    """A stored document's name."""
    parser.add_argument("template", metavar="NAME[@VERSION]", help="without a version: the newest")


def template_list(parser: ArgumentParser) -> None:
    """``quest template list``."""
    parser.add_argument("--archived", action="store_true", help="those that are hidden, too")


def template_add(parser: ArgumentParser) -> None:
    """``quest template add``."""
    parser.add_argument("documents", metavar="FILE", nargs="+", help="a document; - reads stdin")


def template_archive(parser: ArgumentParser) -> None:
    """``quest template archive``."""
    parser.add_argument("template", metavar="NAME@VERSION", help="which version")
    parser.add_argument("--undo", action="store_true", help="show it again")


def init(parser: ArgumentParser) -> None:
    """``quest init``."""
    parser.add_argument(
        "folder", metavar="DIR", nargs="?", default=".", help="where (default: here)"
    )


def agent(parser: ArgumentParser) -> None:
    """An agent's name."""
    parser.add_argument("name", metavar="NAME", help="an agent's name")


def agent_run(parser: ArgumentParser) -> None:
    """``quest agent run``."""
    parser.add_argument(
        "agent", metavar="MODULE:ATTRIBUTE", help="where the Agent is, as security:agent"
    )
    parser.add_argument("--token-file", metavar="FILE", help="what the daemon asks agents for")
    for name in ("authority", "certificate", "key"):
        parser.add_argument(f"--tls-{name}", metavar="FILE")
    parser.add_argument("--tls-server-name", metavar="NAME")


def agent_drain(parser: ArgumentParser) -> None:
    """``quest agent drain``."""
    agent(parser)
    parser.add_argument(
        "--instance", metavar="ID", help="one instance only, by the start of its id"
    )


def schedule(parser: ArgumentParser) -> None:
    """A schedule's name."""
    parser.add_argument("name", metavar="NAME", help="a schedule's name")


def schedule_add(parser: ArgumentParser) -> None:
    """``quest schedule add`` and ``change``."""
    schedule(parser)
    _document(parser)
    parser.add_argument(
        "--cron",
        metavar="EXPRESSION",
        help='minute hour day month weekday, as "0 3 * * MON-FRI"',
    )
    parser.add_argument("--zone", default="UTC", help="its time zone, as Europe/Berlin (UTC)")
    parser.add_argument(
        "--after",
        metavar="NAME",
        help="instead of --cron: after each quest of that document; * for any",
    )
    parser.add_argument(
        "--status", default="completed", metavar="STATUS[,…]", help="… that ends so (completed)"
    )
    parser.add_argument("--after-project", metavar="PROJECT", help="… in that project")
    parser.add_argument(
        "--on-change",
        metavar="GLOB",
        action="append",
        default=[],
        help='instead of --cron: when files change, as "src/**/*.py", or a folder; may be repeated',
    )
    parser.add_argument(
        "--debounce", default="2s", metavar="TIME", help="… and are then the same so long (2s)"
    )
    parser.add_argument(
        "--overlap",
        choices=("skip", "queue", "allow", "cancel"),
        help="while its last quest runs: leave out (skip), wait, run beside it, or cancel that one (skip; queue with --after and --on-change)",
    )
    parser.add_argument(
        "--catch-up",
        choices=("none", "latest", "all"),
        default="latest",
        help="what was due while the daemon was away (latest)",
    )
    parser.add_argument(
        "-i",
        "--input",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="inputs",
        help="as of submit; {{ due }} is the due time, {{ schedule }} the name, {{ quest.output }} of --after, {{ change.paths }} of --on-change",
    )
    parser.add_argument("--project", help="the project its quests count for")
    _labels(parser)
    parser.add_argument("--priority", type=int, metavar="1..10", help="10 first")
    parser.add_argument("--timeout", metavar="TIME", help="how long each quest may take, as 30m")


def schedule_backfill(parser: ArgumentParser) -> None:
    """``quest schedule backfill``."""
    schedule(parser)
    parser.add_argument(
        "--from", metavar="WHEN", required=True, dest="since", help="7d back, or RFC 3339"
    )
    parser.add_argument("--to", metavar="WHEN", dest="until", help="the same (now)")


def stats(parser: ArgumentParser) -> None:
    """``quest stats``."""
    parser.add_argument(
        "names", metavar="STATISTIC", nargs="*", help="overall, by_agent, by_tool, by_step, …"
    )
    parser.add_argument("--project")
    parser.add_argument("--template", metavar="NAME", help="of this document")
    parser.add_argument(
        "--since", metavar="WHEN", help="the last 7d, or since 2030-01-31T12:00:00Z"
    )


def sql(parser: ArgumentParser) -> None:
    """``quest sql``."""
    parser.add_argument(
        "sql",
        metavar="SELECT",
        nargs="?",
        help="one statement; - reads stdin; without it: the tables",
    )
    parser.add_argument(
        "-p",
        "--parameter",
        action="append",
        default=[],
        metavar="VALUE",
        help="for ?, JSON or text",
    )
    parser.add_argument("--format", choices=("table", "csv"), default="table")
    parser.add_argument(
        "--limit", type=int, default=1_000, metavar="N", help="at most so many rows (1000)"
    )
    parser.add_argument(
        "--timeout", default="30s", metavar="TIME", help="how long it may take (30s)"
    )


def backup(parser: ArgumentParser) -> None:
    """``quest backup``."""
    parser.add_argument(
        "target",
        metavar="DIR|FILE.db",
        help="a new directory to serve later, or the journal alone as one file",
    )


def doctor(parser: ArgumentParser) -> None:
    """``quest doctor``."""
    parser.add_argument(
        "--repair",
        action="store_true",
        help="mend the journal; what was there is kept, what is lost is named",
    )


def completion(parser: ArgumentParser) -> None:
    """``quest completion``."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
