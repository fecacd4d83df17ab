"""The words of ``quest``: verbs, nouns and their options. Standard library only, and fast.

Global options may stand before and after the verb. A command is a place ("module:function") that is loaded when it is chosen.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, NoReturn

from questd.cli import arguments as add
from questd.cli.codes import USAGE

Arguments = Callable[[argparse.ArgumentParser], None]


class Verb(NamedTuple):
    """One command. ``arguments`` adds its own options to its parser."""

    name: str
    summary: str
    place: str
    arguments: Arguments = add.nothing


class Noun(NamedTuple):
    """A group of commands; the bare noun is its first one."""

    name: str
    summary: str
    verbs: tuple[Verb, ...]


GROUPS: Final[dict[str, tuple[Verb | Noun, ...]]] = {
    "Quests": (
        Verb("run", "start a quest, follow it, print what it gives", "questd.cli.running:run", add.run),
        Verb("submit", "start a quest and return its id", "questd.cli.quests:submit", add.submit),
        Verb("list", "quests, newest first", "questd.cli.looking:list_quests", add.list_quests),
        Verb("show", "all about one quest", "questd.cli.looking:show", add.show),
        Verb("watch", "follow a quest's events", "questd.cli.looking:watch", add.watch),
        Verb("logs", "what its tools wrote", "questd.cli.looking:logs", add.logs),
        Verb("output", "what it gave, or one of its steps", "questd.cli.looking:output", add.output),
        Verb("cancel", "end quests", "questd.cli.quests:cancel", add.cancel),
        Verb("call", "call one tool, without a document", "questd.cli.running:call", add.call),
        Verb("resolve", "answer what a quest asks", "questd.cli.quests:resolve", add.resolve),
        Noun(
            "signal",
            "signals that steps wait for: list, send",
            (
                Verb("list", "who waits for which", "questd.cli.signals:list_signals", add.signal_list),
                Verb("send", "send a quest a signal", "questd.cli.signals:send", add.signal_send),
            ),
        ),
    ),
    "Documents": (
        Verb("validate", "check a document", "questd.cli.documents:validate", add.validate),
        Verb("graph", "draw a document", "questd.cli.documents:graph", add.graph),
        Noun(
            "template",
            "stored documents: list, add, show, archive, remove",
            (
                Verb("list", "stored documents", "questd.cli.templates:list_templates", add.template_list),
                Verb("add", "store documents under their name and version", "questd.cli.templates:add", add.template_add),
                Verb("show", "a stored document", "questd.cli.templates:show", add.template),
                Verb("archive", "hide a version; who names it still finds it", "questd.cli.templates:archive", add.template_archive),
                Verb("remove", "forget a version", "questd.cli.templates:remove", add.template),
            ),
        ),
        Verb("init", "write a first document, agent and questd.toml", "questd.cli.init:init", add.init),
    ),
    "Agents": (
        Noun(
            "agent",
            "agents: list, show, run, drain",
            (
                Verb("list", "connected agents", "questd.cli.agents:list_agents"),
                Verb("show", "one agent, its instances and tools", "questd.cli.agents:show", add.agent),
                Verb("run", "run an agent in this process", "questd.cli.agents:run", add.agent_run),
                Verb("drain", "give it no new work", "questd.cli.agents:drain", add.agent_drain),
            ),
        ),
    ),
    "Schedules": (
        Noun(
            "schedule",
            "submit by the clock: list, show, add, …",
            (
                Verb("list", "schedules by name", "questd.cli.schedules:list_schedules"),
                Verb("show", "one: when, what waits, what it did", "questd.cli.schedules:show", add.schedule),
                Verb("add", "submit a document at each due time", "questd.cli.schedules:add", add.schedule_add),
                Verb("change", "everything about one anew", "questd.cli.schedules:change", add.schedule_add),
                Verb("pause", "fire no more for now", "questd.cli.schedules:pause", add.schedule),
                Verb("resume", "go on with the next due time", "questd.cli.schedules:resume", add.schedule),
                Verb("backfill", "make up for due times of the past", "questd.cli.schedules:backfill", add.schedule_backfill),
                Verb("remove", "fire no more; its quests go on", "questd.cli.schedules:remove", add.schedule),
            ),
        ),
    ),
    "History": (
        Verb("stats", "counts, success, times", "questd.cli.history:stats", add.stats),
        Verb("sql", "ask the history in SQL", "questd.cli.history:sql", add.sql),
    ),
    "House": (
        Verb("serve", "run the daemon", "questd.cli.house:serve"),
        Verb("doctor", "look whether all is well", "questd.cli.doctor:doctor", add.doctor),
        Verb("backup", "copy the journal, while it runs too", "questd.cli.backup:backup", add.backup),
        Verb("completion", "completion for a shell", "questd.cli.completion:completion", add.completion),
    ),
}  # fmt: skip

LATER: Final = (
    "pause",
    "retry",
    "skip",
    "replay",
    "resume",
    "rollback",
    "delete",
    "explain",
    "checkpoint",
    "breakpoint",
    "dead-letter",
    "queue",
    "quality",
    "report",
    "export",
)
"""Words of the interface that this version does not know yet."""

_CHOICE: Final = re.compile(
    r"argument (.*?): invalid choice: '(.*?)' \(choose from (.*)\)", re.DOTALL
)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, with the nearest right word."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            formatter_class=lambda prog: argparse.HelpFormatter(
                prog, max_help_position=32, width=100
            ),
            allow_abbrev=False,
            **options,
        )

    def error(self, message: str) -> NoReturn:
        """Exit 2."""
        found = _CHOICE.fullmatch(message)
        if found is not None:
            what, word, known = found[1], found[2], re.findall(r"[\w-]+", found[3])
            if word in LATER and self.prog == "quest":
                refuse_later(word)
            what = "command" if what == "COMMAND" else what
            message = f"there is no {what} {word!r}: {nearest(word, known)}"
        sys.stderr.write(f"{self.prog}: {message}\nsee {self.prog} --help\n")
        raise SystemExit(USAGE)


class RootParser(Parser):
    """``quest`` itself: its help is by groups."""

    def format_help(self) -> str:
        """Everything on one screen."""
        lines = ["quest: durable multi-agent quests", "", "  quest COMMAND [options]", ""]
        for group, members in GROUPS.items():
            lines.append(f"{group}")
            lines += [f"  {member.name:<12}{member.summary}" for member in members]
            lines.append("")
        lines += ["Everywhere", *(f"  {text}" for text in add.GLOBALS_HELP), ""]
        lines += ["Exit codes", *(f"  {text}" for text in add.CODES_HELP), ""]
        lines.append("quest COMMAND --help says more of one.  First steps: quest init")
        return "\n".join(lines) + "\n"


def refuse_later(word: str) -> NoReturn:
    """Exit 2, by name."""
    from questd.cli.version import VERSION  # noqa: PLC0415

    sys.stderr.write(f"quest: `quest {word}` is not yet supported by questd {VERSION}\n")
    raise SystemExit(USAGE)


def nearest(word: str, known: Sequence[str]) -> str:
    """A "did you mean", or all that there is."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for mistakes

    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"choose among {', '.join(known)}"


def build() -> RootParser:
    """The whole parser, which completion also reads."""
    root = RootParser(prog="quest", add_help=False)
    add.everywhere(root)
    root.add_argument(
        "--version", action="store_true", default=argparse.SUPPRESS, help="the version"
    )
    verbs = root.add_subparsers(metavar="COMMAND", parser_class=Parser)
    for members in GROUPS.values():
        for member in members:
            if isinstance(member, Noun):
                _add_noun(verbs, member)
            else:
                _add_verb(verbs, member)
    return root


def _add_verb(verbs: Any, verb: Verb) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        verb.name, description=verb.summary, help=verb.summary, add_help=False
    )
    verb.arguments(parser)
    add.everywhere(parser)
    parser.set_defaults(place=verb.place)
    return parser


def _add_noun(nouns: Any, noun: Noun) -> None:
    parser = nouns.add_parser(
        noun.name, description=noun.summary, help=noun.summary, add_help=False
    )
    add.everywhere(parser)
    parser.set_defaults(place=noun.verbs[0].place)
    verbs = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    for verb in noun.verbs:
        _add_verb(verbs, verb)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options of one command, ``place`` among them. Exits with 2 for what it cannot understand."""
    root = build()
    found = root.parse_args(_in_order(words))
    for name, default in add.GLOBAL_DEFAULTS.items():
        if not hasattr(found, name):
            setattr(found, name, default)
    if hasattr(found, "version"):
        from questd.cli.version import VERSION  # noqa: PLC0415

        sys.stdout.write(f"questd {VERSION}\n")
        raise SystemExit(0)
    if not hasattr(found, "place"):
        sys.stdout.write(root.format_help())
        raise SystemExit(0 if not words else USAGE)
    return found


def _in_order(words: Sequence[str]) -> list[str]:
    """``quest help run`` is ``quest run --help``."""
    return [*words[1:], "--help"] if words[:1] == ["help"] else list(words)
