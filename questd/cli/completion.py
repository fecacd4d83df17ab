"""``completion``: a script for bash, zsh or fish, made from the parser, so that it knows what the parser knows."""

import argparse
from collections.abc import Iterator
from typing import Final, NamedTuple

from questd.cli.codes import DONE
from questd.cli.output import Out
from questd.cli.parser import build


class Command(NamedTuple):
    """``words``: "" or "agent list"; its subcommands and options with their help."""

    words: str
    verbs: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    choices: tuple[str, ...]


def completion(options: argparse.Namespace, out: Out) -> int:
    """The script on stdout."""
    scripts = {"bash": bash, "zsh": zsh, "fish": fish}
    out.text(scripts[options.shell](list(commands(build(), ""))))
    return DONE


def commands(parser: argparse.ArgumentParser, words: str) -> Iterator[Command]:
    """The parser and all below it."""
    verbs: list[tuple[str, str]] = []
    options: list[tuple[str, str]] = []
    choices: list[str] = []
    below: list[tuple[str, argparse.ArgumentParser]] = []
    for action in parser._actions:  # noqa: SLF001 - argparse offers no other way to read a parser
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            verbs += [(name, helps.get(name, "")) for name in action.choices]
            below += list(action.choices.items())
        elif action.option_strings:
            options += [(name, action.help or "") for name in action.option_strings]
        elif action.choices:
            choices += [str(choice) for choice in action.choices]
    yield Command(words, tuple(verbs), tuple(options), tuple(choices))
    for name, child in below:
        yield from commands(child, f"{words} {name}".strip())


BASH: Final = """\
# quest completion for bash: eval "$(quest completion bash)"
_quest() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} path="" candidates="" one
    for one in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$path $one" in
{known}
        esac
    done
    case "$path" in
{cases}
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$candidates" -- "$word"))
    else
        COMPREPLY=($(compgen -W "${{candidates//--*/}}" -- "$word") $(compgen -f -- "${{word#*@}}"))
    fi
}}
complete -o filenames -F _quest quest
"""


def bash(all_commands: list[Command]) -> str:
    """Words first, options when a dash stands there, files always."""
    known = "\n".join(
        f'            " {command.words}") path="{command.words}";;'
        if " " not in command.words
        else f'            "{command.words}") path="{command.words}";;'
        for command in all_commands
        if command.words
    )
    cases = "\n".join(
        f'        "{command.words}") candidates="{" ".join(_words(command))}";;'
        for command in all_commands
    )
    return BASH.format(known=known, cases=cases)


def _words(command: Command) -> list[str]:
    plain = [name for name, _ in command.verbs] + list(command.choices)
    return plain + sorted((name for name, _ in command.options), key=lambda name: name[:2] != "--")


ZSH: Final = """\
#compdef quest
# quest completion for zsh: put this into a file _quest on $fpath, or eval "$(quest completion zsh)"
_quest() {{
    local -a candidates
    local path="" one
    for one in ${{words[2,CURRENT-1]}}; do
        case "$path $one" in
{known}
        esac
    done
    case "$path" in
{cases}
    esac
    _describe 'quest' candidates
    _files
}}
compdef _quest quest
"""


def zsh(all_commands: list[Command]) -> str:
    """Each candidate with its help."""
    known = "\n".join(
        f'            "{"" if " " in command.words else " "}{command.words}") path="{command.words}";;'
        for command in all_commands
        if command.words
    )
    cases = "\n".join(
        f'        "{command.words}") candidates=({" ".join(_described(command))});;'
        for command in all_commands
    )
    return ZSH.format(known=known, cases=cases)


def _described(command: Command) -> Iterator[str]:
    for name, told in (*command.verbs, *((one, "") for one in command.choices), *command.options):
        safe = told.replace("'", "’").replace(":", "\\:")
        yield f"'{name}:{safe}'" if safe else f"'{name}'"


def fish(all_commands: list[Command]) -> str:
    """One line a candidate."""
    lines = [
        "# quest completion for fish: quest completion fish > ~/.config/fish/completions/quest.fish"
    ]
    for command in all_commands:
        condition = _fish_condition(command, all_commands)
        lines += [
            f"complete -c quest {condition} -a {name} -d '{_fish_text(told)}'"
            for name, told in command.verbs
        ]
        lines += [f"complete -c quest {condition} -a {one}" for one in command.choices]
        lines += [
            f"complete -c quest {condition} {_fish_option(name)} -d '{_fish_text(told)}'"
            for name, told in command.options
        ]
    return "\n".join(lines) + "\n"


def _fish_condition(command: Command, all_commands: list[Command]) -> str:
    if not command.words:
        return "-n __fish_use_subcommand"
    seen = " and ".join(f"__fish_seen_subcommand_from {word}" for word in command.words.split())
    if command.verbs:
        below = " ".join(name for name, _ in command.verbs)
        seen += f"; and not __fish_seen_subcommand_from {below}"
    del all_commands
    return f"-n '{seen.replace(' and ', '; and ')}'"


def _fish_option(name: str) -> str:
    return f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"


def _fish_text(told: str) -> str:
    return told.replace("\\", "\\\\").replace("'", "\\'")
