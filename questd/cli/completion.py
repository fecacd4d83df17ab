"""``completion``: a script for bash, zsh or fish, made from the parser, so that it knows what the parser knows."""

import argparse
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, cast

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
    actions: list[Any] = parser._actions  # noqa: SLF001 - argparse offers no other way to read one
    for action in actions:
        if isinstance(action.choices, dict):  # of subcommands
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            parsers = cast("dict[str, argparse.ArgumentParser]", action.choices)
            verbs += [(name, helps.get(name, "")) for name in parsers]
            below += list(parsers.items())
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
    local word=${{COMP_WORDS[COMP_CWORD]}} path="" words="" options="" one
    for one in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$path/$one" in
            {known}) path="$path/$one";;
        esac
    done
    case "$path" in
{cases}
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$word"))
    else
        COMPREPLY=($(compgen -W "$words" -- "$word"))
        [[ $path ]] && COMPREPLY+=($(compgen -f -- "$word"))
    fi
}}
complete -o filenames -F _quest quest
"""


def bash(all_commands: list[Command]) -> str:
    """Words, options where a dash stands, and files behind a verb."""
    cases = [
        f'        "{_path(command)}") words="{" ".join(_words(command))}" '
        f'options="{" ".join(name for name, _ in command.options)}";;'
        for command in all_commands
    ]
    return BASH.format(known=_known(all_commands), cases="\n".join(cases))


def _path(command: Command) -> str:
    return "".join(f"/{word}" for word in command.words.split())


def _known(all_commands: list[Command]) -> str:
    return "|".join(_path(command) for command in all_commands if command.words)


def _words(command: Command) -> list[str]:
    return [name for name, _ in command.verbs] + list(command.choices)


ZSH: Final = """\
#compdef quest
# quest completion for zsh: a file _quest on $fpath, or eval "$(quest completion zsh)"
_quest() {{
    local -a candidates
    local at="" one
    for one in ${{words[2,CURRENT-1]}}; do
        case "$at/$one" in
            {known}) at="$at/$one";;
        esac
    done
    case "$at" in
{cases}
    esac
    _describe 'quest' candidates
    [[ -n $at ]] && _files
}}
compdef _quest quest
"""


def zsh(all_commands: list[Command]) -> str:
    """Each candidate with its help, and files behind a verb."""
    cases = [
        f'        "{_path(command)}") candidates=({" ".join(_described(command))});;'
        for command in all_commands
    ]
    return ZSH.format(known=_known(all_commands), cases="\n".join(cases))


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
        condition = _fish_condition(command)
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


def _fish_condition(command: Command) -> str:
    if not command.words:
        return "-n __fish_use_subcommand"
    tests = [f"__fish_seen_subcommand_from {word}" for word in command.words.split()]
    if command.verbs:
        below = " ".join(name for name, _ in command.verbs)
        tests.append(f"not __fish_seen_subcommand_from {below}")
    return f"-n '{'; and '.join(tests)}'"


def _fish_option(name: str) -> str:
    return f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"


def _fish_text(told: str) -> str:
    return told.replace("\\", "\\\\").replace("'", "\\'")
