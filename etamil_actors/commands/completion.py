"""``etamil-actors completion``: what shells complete, made from the one table of commands.

Each script knows commands, their options, the few words that some want first, and leaves files to the shell.
"""

from __future__ import annotations

import sys
from typing import Final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etamil_actors.cli import Command, Given

NAME: Final = "etamil-actors"


def main(given: Given) -> int:
    """Print the script for a shell."""
    from etamil_actors.cli import COMMANDS

    sys.stdout.write("".join(f"{line}\n" for line in SHELLS[given.words[0]](COMMANDS)))
    return 0


def _options(command: Command) -> list[str]:
    return [*(option.word for option in command.options), "--help"]


def _first_words(commands: tuple[Command, ...]) -> list[str]:
    return [*(command.word for command in commands), "help", "--help", "--version"]


def bash(commands: tuple[Command, ...]) -> Iterator[str]:
    """For ``source <(etamil-actors completion bash)`` in ~/.bashrc."""
    yield f"# {NAME}: source <({NAME} completion bash)"
    yield "_etamil_actors() {"
    yield '    local word="${COMP_WORDS[COMP_CWORD]}" options="" firsts=""'
    yield "    COMPREPLY=()"
    yield "    if [ \"$COMP_CWORD\" -eq 1 ]; then"
    yield f"        COMPREPLY=($(compgen -W \"{' '.join(_first_words(commands))}\" -- \"$word\"))"
    yield "        return"
    yield "    fi"
    yield '    case "${COMP_WORDS[1]}" in'
    for command in commands:
        options, firsts = " ".join(_options(command)), " ".join(command.choices)
        yield f'        {command.word}) options="{options}"; firsts="{firsts}" ;;'
    yield f"        help) firsts=\"{' '.join(command.word for command in commands)}\" ;;"
    yield "    esac"
    yield '    if [[ "$word" == -* ]]; then'
    yield '        COMPREPLY=($(compgen -W "$options" -- "$word"))'
    yield '    elif [ -n "$firsts" ] && [ "$COMP_CWORD" -eq 2 ]; then'
    yield '        COMPREPLY=($(compgen -W "$firsts" -- "$word"))'
    yield "    else"
    yield "        local IFS=$'\\n'"
    yield "        compopt -o filenames 2>/dev/null"
    yield '        COMPREPLY=($(compgen -f -- "$word"))'
    yield "    fi"
    yield "}"
    yield f"complete -F _etamil_actors {NAME}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _in_zsh(word: str, text: str) -> str:
    return _quoted(f"{word}:{text.replace(':', chr(92) + ':')}")


def _short(text: str) -> str:
    """The first sentence or part of one."""
    for sign in (";", ". ", ","):
        text = text.split(sign)[0]
    return text.rstrip(".")


def zsh(commands: tuple[Command, ...]) -> Iterator[str]:
    """For ``source <(etamil-actors completion zsh)`` in ~/.zshrc, behind ``compinit``."""
    yield f"#compdef {NAME}"
    yield f"# {NAME}: source <({NAME} completion zsh)"
    yield "_etamil_actors() {"
    yield "    local -a commands options firsts"
    yield "    commands=("
    for command in commands:
        yield f"        {_in_zsh(command.word, _short(command.english))}"
    yield f"        {_in_zsh('help', 'help of a command')}"
    yield "    )"
    yield "    if (( CURRENT == 2 )); then"
    yield "        _describe -t commands command commands"
    yield "        return"
    yield "    fi"
    yield '    case "$words[2]" in'
    for command in commands:
        words = [_in_zsh(option.word, _short(option.english)) for option in command.options]
        options, firsts = " ".join([*words, _in_zsh("--help", "help")]), " ".join(command.choices)
        yield f"        {command.word}) options=({options}); firsts=({firsts}) ;;"
    yield f"        help) firsts=({' '.join(command.word for command in commands)}) ;;"
    yield "    esac"
    yield '    if [[ "$words[CURRENT]" == -* ]]; then'
    yield "        _describe -t options option options"
    yield "    elif (( $#firsts && CURRENT == 3 )); then"
    yield "        compadd -a firsts"
    yield "    else"
    yield "        _files"
    yield "    fi"
    yield "}"
    yield f"compdef _etamil_actors {NAME}"


def fish(commands: tuple[Command, ...]) -> Iterator[str]:
    """For ~/.config/fish/completions/etamil-actors.fish."""
    yield f"# {NAME}: {NAME} completion fish > ~/.config/fish/completions/{NAME}.fish"
    yield f"complete -c {NAME} -n __fish_use_subcommand -f -a help -d {_quoted('help of a command')}"
    for command in commands:
        yield (
            f"complete -c {NAME} -n __fish_use_subcommand -f -a {command.word} "
            f"-d {_quoted(_short(command.english))}"
        )
        seen = f"-n {_quoted(f'__fish_seen_subcommand_from {command.word}')}"
        for option in command.options:
            form = f"-l {option.word[2:]}" if option.word.startswith("--") else f"-s {option.word[1:]}"
            needs = " -r" if option.value else ""
            yield f"complete -c {NAME} {seen} {form}{needs} -d {_quoted(_short(option.english))}"
        if command.choices:
            yield f"complete -c {NAME} {seen} -f -a {_quoted(' '.join(command.choices))}"


SHELLS: Final[dict[str, Callable[[tuple[Command, ...]], Iterator[str]]]] = {
    "bash": bash,
    "zsh": zsh,
    "fish": fish,
}
