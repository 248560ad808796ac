"""The command ``etamil-actors``: its words, its options, its exit status.

What a command *does* lives in ``commands/``, one file each, imported only when the command is
given. Here is what all of them share: one table of commands and options from which both the
reading of the command line and the help are made.

The standard library's argparse is not used. It speaks English only, and importing it costs a
fifth of what ``etamil-actors run hello.qmz`` may take in all; the forty lines below read the
table instead. For the same reason nothing heavy is imported while this file is.

Exit status: 0 all well · 1 the program, or a file, is at fault · 2 the command line is ·
130 stopped by Ctrl-C · n after வெளியேறு(n).
"""

from __future__ import annotations

import os
import sys

from etamil_actors.commands import Usage, complain

TYPE_CHECKING = False
if TYPE_CHECKING:  # the real one is in typing, which takes longer to import than this file
    from collections.abc import Callable, Sequence
    from typing import TextIO

INTERRUPTED = 130
BROKEN_PIPE = 141


class Option:
    """One option of a command. ``value`` names what follows it, a number or with ``is_text`` a text that
    may be given again; "" for a mere switch."""

    __slots__ = ("default", "english", "is_text", "tamil", "value", "word")

    def __init__(
        self,
        word: str,
        tamil: str,
        english: str,
        value: str = "",
        default: int = 0,
        is_text: bool = False,
    ) -> None:
        self.word = word
        self.tamil = tamil
        self.english = english
        self.value = value
        self.default = default
        self.is_text = is_text

    @property
    def form(self) -> str:
        """As it is shown: ``--seconds N``."""
        return f"{self.word} {self.value}" if self.value else self.word


class Command:
    """One command. ``least`` and ``most`` tell how many words it takes (most −1: any number);
    ``leaves_rest``: what stands behind the first word belongs to the program. ``choices`` are the words of
    which the first has to be one."""

    __slots__ = (
        "choices", "english", "example", "form", "least", "leaves_rest", "module", "most", "options",
        "tamil", "word",
    )

    def __init__(
        self,
        word: str,
        form: str,
        tamil: str,
        english: str,
        example: str,
        least: int,
        most: int,
        options: tuple[Option, ...] = (),
        leaves_rest: bool = False,
        choices: tuple[str, ...] = (),
    ) -> None:
        self.word = word
        self.form = form
        self.tamil = tamil
        self.english = english
        self.example = example
        self.least = least
        self.most = most
        self.options = options
        self.leaves_rest = leaves_rest
        self.choices = choices


JSON = Option("--json", "JSON ஆக அச்சிடும்", "prints JSON")

COMMANDS = (
    Command(
        "up", "[config.yaml | FILE.qmz]",
        "அமைப்புக் கோப்பு குறிப்பிடும் சேவைகளை, அல்லது ஒரு நிரலை, சரிபார்த்துத் தொடங்கும்; Ctrl-C, SIGTERM அல்லது "
        "வெளியேறு வரும் வரை ஓடும்; பின் ஒழுங்காக நிறுத்தும். இரண்டாம் Ctrl-C ஓடுவதைத் துண்டிக்கும், மூன்றாவது உடனே "
        "முடிக்கும். SIGHUP எல்லாவற்றையும் மீண்டும் படித்து, ஓடுவதை நிறுத்தாமல் மாற்றும். முடிவு நிலை: எல்லாம் "
        "ஒழுங்காக நின்றால் 0, வெளியேறு(n) என்றால் n, எதையாவது துண்டிக்க நேர்ந்தால் 1.",
        "checks and starts the services that the configuration names, or one program, and runs until "
        "Ctrl-C, SIGTERM or வெளியேறு; then everything stops in order. A second Ctrl-C cuts what still "
        "runs, a third ends at once. SIGHUP reads everything again and lets it take the place of what "
        "runs. Exit status: 0 when all ended in order, n after வெளியேறு(n), 1 when something had to be cut.",
        "etamil-actors up config.yaml", 0, 1,
        (
            Option("--bind", "கேட்கும் முகவரி; அமைப்புக் கோப்பில் உள்ளதை வெல்லும்: 127.0.0.1:8080, :8080, unix:PATH; "
                   "பல என்றால் காற்புள்ளிகளுடன், அல்லது மீண்டும் மீண்டும்",
                   "where to listen, in place of what the configuration says: 127.0.0.1:8080, :8080, "
                   "unix:PATH; several with commas between, or said again", "ADDRESS", is_text=True),
            Option("--processes", "ஒரே முகவரியில் இத்தனை செயல்முறைகள்; அமைப்புக் கோப்பில் உள்ளதை வெல்லும்",
                   "so many processes at the same addresses, in place of what the configuration says",
                   "N", -1),
            Option("--watch", "கோப்புகளைக் கவனிக்கும்: சேமித்ததும் புதிய நிரல் ஓடும்; தவறு இருந்தால் பழையதே தொடரும்",
                   "watches the files: when one is saved the new code runs; where it has errors the old goes "
                   "on"),
            Option("--verbose", "எது தொடங்குகிறது, எது நிற்கிறது என்பதையும் சொல்லும்",
                   "tells of everything that starts and stops as well"),
        ),
    ),
    Command(
        "new", "NAME",
        "உடனே ஓடும் ஒரு திட்டத்தைப் புதிய கோப்புறையில் எழுதும்: அமைப்பு, சேவை, சோதனை, Dockerfile, systemd. "
        "வெற்றாக இல்லாத கோப்புறையில் எதையும் எழுதாது.",
        "writes a project that runs at once into a new folder: configuration, service, test, Dockerfile, "
        "systemd unit. In a folder that is not empty it writes nothing.",
        "etamil-actors new kadai", 1, 1,
    ),
    Command(
        "run", "FILE [--] [ARGUMENT …]",
        "ஒரு நிரலைச் சரிபார்த்து இயக்கும்; கோப்பின் இடத்தில் - இருந்தால் நிரல் உள்ளீட்டிலிருந்து படிக்கப்படும். "
        "மேல்நிலையும் அது தொடங்கிய ஒருமுறைப் பணிகளும் முடிந்ததும் முடியும்; வழிகளும் அறிவித்த பணிகளும் தொடங்கப்படுவதில்லை.",
        "checks and runs a program; with - in place of the file it is read from standard input. It ends when "
        "the top level and the one-time jobs that it started are done; routes and declared jobs are not "
        "started.",
        "etamil-actors run examples/01_hello.qmz", 1, 1,
        (
            Option("--seconds", "கணிப்பு நேர வரம்பு, நொடிகளில்; 0 என்றால் வரம்பில்லை (இயல்பு: 30)",
                   "computing time it may use, in seconds; 0 for no limit (default: 30)", "N", 30),
            Option("--steps", "படிகளின் வரம்பு; 0 என்றால் வரம்பில்லை (இயல்பு: 0)",
                   "steps it may make; 0 for no limit (default: 0)", "N"),
            Option("--no-cache", "தொகுக்கப்பட்ட நிரலைச் சேமிக்காமலும் பயன்படுத்தாமலும் இயக்கும்",
                   "neither reads nor writes the compiled form"),
        ),
        leaves_rest=True,
    ),
    Command(
        "ps", "[config.yaml | FILE.qmz | PID]",
        "ஓடும் செயல்முறைகளையும், ஒன்றின் செயலி மரத்தையும் காட்டும்: நிலை, மறுதொடக்கங்கள், காத்திருப்பவை.",
        "shows what runs, and the tree of actors of one process: states, restarts, what waits.",
        "etamil-actors ps config.yaml", 0, 1, (JSON,),
    ),
    Command(
        "top", "[config.yaml | FILE.qmz | PID]",
        "ஓடும் ஒரு செயல்முறையை மீண்டும் மீண்டும் காட்டும்: வேகம், காத்திருப்பு; Ctrl-C முடிக்கும்.",
        "shows a running process again and again: rates, what waits; Ctrl-C ends it.",
        "etamil-actors top --seconds 2", 0, 1,
        (
            Option("--seconds", "எத்தனை நொடிக்கு ஒருமுறை (இயல்பு: 1)", "how often, in seconds (default: 1)",
                   "N", 1),
        ),
    ),
    Command(
        "jobs", "[config.yaml | FILE.qmz | PID]",
        "ஓடும் ஒரு செயல்முறையின் பணிகளைப் பட்டியலிடும்: எப்போது, நிலை, எந்த வரியில்.",
        "lists the jobs of a running process: when, how they are, at which line.",
        "etamil-actors jobs", 0, 1, (JSON,),
    ),
    Command(
        "channels", "[config.yaml | FILE.qmz | PID]",
        "ஓடும் ஒரு செயல்முறையின் சேனல்களையும் அவற்றில் காத்திருப்பவற்றையும் பட்டியலிடும்.",
        "lists the channels of a running process and what waits in them.",
        "etamil-actors channels", 0, 1, (JSON,),
    ),
    Command(
        "dead", "[list | requeue ID … | drop ID …]",
        "யாரும் கையாளாத செய்திகளையும் தோற்ற ஒருமுறைப் பணிகளையும் பட்டியலிடும், மீண்டும் அனுப்பும் (requeue), அல்லது "
        "நீக்கும் (drop); ID இடத்தில் all என்றால் எல்லாவற்றையும்.",
        "lists messages that nobody handled and one-time jobs that failed, sends them again (requeue) or "
        "throws them away (drop); all in place of ID means all of them.",
        "etamil-actors dead requeue memory:1", 0, -1,
        (
            JSON,
            Option("--of", "எந்தச் செயல்முறை: config.yaml, FILE.qmz அல்லது PID",
                   "of which process: config.yaml, FILE.qmz or PID", "WHICH", is_text=True),
        ),
    ),
    Command(
        "check", "FILE …",
        "நிரல்களை இயக்காமல் சரிபார்க்கும்; கோப்புறை கொடுத்தால் அதிலுள்ள எல்லா .qmz கோப்புகளையும்.",
        "checks programs without running them; of a folder, every .qmz file in it.",
        "etamil-actors check services", 1, -1,
        (Option("--json", "சிக்கல்களை JSON பட்டியலாக அச்சிடும்", "prints the problems as a JSON list"),),
    ),
    Command(
        "routes", "[config.yaml | FILE.qmz]",
        "வழிகளைப் பட்டியலிடும்: முறை, பாதை, இடம், காவல்; எதையும் இயக்காது.",
        "lists the routes with method, path, place and guards; runs nothing.",
        "etamil-actors routes examples/19_library.qmz", 0, 1,
        (Option("--json", "JSON பட்டியலாக அச்சிடும்", "prints a JSON list"),),
    ),
    Command(
        "openapi", "[config.yaml | FILE.qmz]",
        "‘up’ வழங்கவிருக்கும் சேவைகளின் OpenAPI 3.1 ஆவணத்தை அச்சிடும்; மேல்நிலை போலி உலகில் ஓடும், எதுவும் எழுதப்படாது.",
        "prints the OpenAPI 3.1 document of what ‘up’ would serve; the top level runs in a simulated world, "
        "and nothing is written.",
        "etamil-actors openapi examples/19_library.qmz", 0, 1,
    ),
    Command(
        "config", "reference [KEY] | show [config.yaml] | check [config.yaml]",
        "reference எல்லா அமைப்புகளையும் விளக்கும்; show இப்போது நடப்பிலுள்ளவற்றைக் காட்டும், இரகசியங்களை மறைத்து; "
        "check அமைப்பையும் அதன் நிரல்களையும் சரிபார்க்கும்.",
        "reference explains every setting; show tells what is in force, with secrets hidden; check looks for "
        "mistakes in the configuration and its programs.",
        "etamil-actors config show config.yaml", 1, 2,
        (Option("--json", "JSON ஆக அச்சிடும்", "prints JSON"),),
        choices=("reference", "show", "check"),
    ),
    Command(
        "completion", "bash | zsh | fish",
        "கட்டளைகளையும் விருப்பங்களையும் Tab விசையால் நிரப்ப, அந்த முனையத்துக்கான நிரலை அச்சிடும்.",
        "prints the script with which a shell completes commands and options.",
        "etamil-actors completion bash", 1, 1,
        choices=("bash", "zsh", "fish"),
    ),
    Command(
        "test", "[FILE | FOLDER …]",
        "நிரல்களின் ‘சோதனை’களை ஓட்டும்; ஒவ்வொன்றும் புதிய சேவையில், போலி நேரத்தில். எதுவும் கொடுக்காவிட்டால் "
        "இந்தக் கோப்புறையில் உள்ள எல்லாச் சோதனைகளும். முடிவு நிலை: எல்லாம் சரியென்றால் 0, தோல்வி என்றால் 1, "
        "நிரலில் பிழை அல்லது சோதனையே இல்லை என்றால் 2.",
        "runs the tests of programs, each in a fresh service and in virtual time; without a file, all tests "
        "in this folder. Exit status: 0 when all passed, 1 when one failed, 2 when a program has errors or "
        "there are no tests.",
        "etamil-actors test services --coverage", 0, -1,
        (
            Option("-k", "பெயரில் இது உள்ள சோதனைகள் மட்டும்; மீண்டும் கொடுக்கலாம்",
                   "only tests whose name holds this; may be said again", "NAME", is_text=True),
            Option("--watch", "கோப்பு மாறும்போதெல்லாம் மீண்டும் ஓட்டும்; Ctrl-C முடிக்கும்",
                   "runs again whenever a file changes; Ctrl-C ends it"),
            Option("--coverage", "நிரலின் எந்த வரிகள் ஓடின என்று சொல்லும்",
                   "tells which lines of the programs ran"),
            Option("--junit", "முடிவுகளை JUnit XML ஆக இந்தக் கோப்பில் எழுதும்",
                   "writes the results to this file as JUnit XML", "FILE", is_text=True),
            Option("--config", "சேவைகளின் அமைப்புகள் இந்தக் கோப்பிலிருந்து (இயல்பு: இருந்தால் config.yaml)",
                   "the settings of the services from this file (default: config.yaml, if it is there)",
                   "FILE", is_text=True),
            Option("--jobs", "ஒரே நேரத்தில் இத்தனை கோப்புகள் (இயல்பு: உள்ளகங்களின் எண்ணிக்கை)",
                   "so many files at once (default: the number of processors)", "N", -1),
            Option("--verbose", "வெற்றி பெற்ற சோதனைகளின் பெயர்களையும் சொல்லும்",
                   "tells the names of tests that passed as well"),
            Option("--json", "முடிவுகளை JSON ஆக அச்சிடும்", "prints the results as JSON"),
        ),
    ),
    Command(
        "sim", "FILE",
        "ஒரு சேவையின் சோதனைகளையும், தனித்து விடப்பட்ட ஒரு மணி நேரத்தையும் போலி நேரத்தில் பல வரிசைகளில் இயக்கும்; "
        "தோல்வியடைந்த விதையைச் சொல்லும், அதே விதை அதே ஓட்டத்தைத் திரும்பத் தரும்.",
        "runs the tests of a service, and an hour in which it is left alone, in virtual time and in many "
        "orders; names the seed that fails, and the same seed gives the same run again.",
        "etamil-actors sim --seeds 5 --faults examples/15_shop.qmz", 1, 1,
        (
            Option("--seeds", "விதைகளின் எண்ணிக்கை: 0 முதல் N-1 வரை (இயல்பு: 100)",
                   "how many seeds: 0 to N-1 (default: 100)", "N", 100),
            Option("--seed", "இந்த ஒரு விதை மட்டும்", "only this seed", "K", -1),
            Option("--faults", "பிழைகளைப் புகுத்தும்: கீழுள்ள மூன்றும்",
                   "puts things out of order: all three below"),
            Option("--crashes", "முகவர்களையும் பணிகளையும் நிலைகுலையச் செய்யும்", "lets agents and jobs crash"),
            Option("--delays", "காத்திருப்புகளைச் சற்று நீட்டும்", "lets words wait a little"),
            Option("--full", "அஞ்சல்பெட்டிகளையும் சேனல்களையும் சிறிது நேரம் நிரம்பச் செய்யும்",
                   "lets mailboxes and channels be full for a while"),
            Option("--idle", "தனித்து விடப்படும் நொடிகள்; 0 என்றால் சோதனைகள் மட்டும் (இயல்பு: 3600)",
                   "seconds of being left alone; 0 for the tests only (default: 3600)", "N", 3600),
            Option("--json", "ஒவ்வோர் ஓட்டத்தையும் JSON பட்டியலாக அச்சிடும்", "prints every run in a JSON list"),
        ),
    ),
    Command(
        "fmt", "FILE …",
        "நிரல்களை ஒரே சீரான அமைப்பில் திருத்தி எழுதும்; - என்றால் உள்ளீட்டைப் படித்து வெளியீட்டில் எழுதும்.",
        "rewrites programs in the one canonical layout; - reads standard input and writes standard output.",
        "etamil-actors fmt --check services", 1, -1,
        (
            Option("--check", "எதையும் மாற்றாது; திருத்த வேண்டிய கோப்புகளின் பெயரைச் சொல்லி 1 உடன் முடியும்",
                   "changes nothing; names the files that would change and ends with 1"),
            Option("--stdout", "கோப்பை மாற்றாமல் விடையை அச்சிடும்", "prints the result and leaves the file alone"),
        ),
    ),
    Command(
        "repl", "",
        "வரி வரியாக உரையாடும் முனையம்; :help உதவி தரும், :quit முடிக்கும்.",
        "a shell that answers line by line; :help helps, :quit ends it.",
        "etamil-actors repl", 0, 0,
    ),
)
COMMAND_OF = {command.word: command for command in COMMANDS}
assert len(COMMAND_OF) == len(COMMANDS), "two commands share a word"

HELP = ("--help", "-h")
VERSION = ("--version", "-V")


class Given:
    """What a command line says: the words, the options, and what is left for the program."""

    __slots__ = ("options", "rest", "texts", "words")

    def __init__(
        self,
        words: list[str],
        options: dict[str, int],
        rest: list[str],
        texts: dict[str, list[str]] | None = None,
    ) -> None:
        self.words = words
        self.options = options
        self.rest = rest
        self.texts = texts if texts is not None else {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and answer the exit status."""
    _speak_utf8()
    try:
        status = _dispatch(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        sys.stderr.flush()
    except KeyboardInterrupt:
        _flush_quietly()
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    except OSError as error:
        # Files of the user are answered for where they are opened; what comes here is our output.
        _forget_stdout()
        complain(f"வெளியீட்டை எழுத முடியவில்லை: {error.strerror}", f"cannot write the output: {error.strerror}")
        return 1
    return status


def _dispatch(words: list[str]) -> int:
    if not words:
        sys.stderr.write(general_help())
        return 2
    first = words[0]
    if first in HELP or (first == "help" and len(words) == 1):
        sys.stdout.write(general_help())
        return 0
    if first in VERSION:
        sys.stdout.write(version_line() + "\n")
        return 0
    if first == "help":
        words = [words[1], "--help"]
        first = words[0]
    command = COMMAND_OF.get(first)
    try:
        if command is None:
            raise unknown_command(first)
        given = read(command, words[1:])
        if given is None:
            sys.stdout.write(help_of(command))
            return 0
        return _action(command)(given)
    except Usage as wrong:
        complain(wrong.tamil, wrong.english)
        return 2


def _action(command: Command) -> Callable[[Given], int]:
    from importlib import import_module

    action: Callable[[Given], int] = import_module(f"etamil_actors.commands.{command.word}").main
    return action


# ---- reading the command line ---------------------------------------------------------


def read(command: Command, words: Sequence[str]) -> Given | None:
    """Read what follows a command's word; ``None`` when help is wanted.

    Raises: Usage, when the user has to write it another way.
    """
    options = {_key(option): option.default for option in command.options if not option.is_text}
    texts: dict[str, list[str]] = {}
    taken: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            taken += words[position:]
            break
        if command.leaves_rest and len(taken) >= command.most and not word.startswith("-"):
            taken += words[position - 1 :]
            break
        if not word.startswith("-") or word == "-":
            taken.append(word)
            continue
        if word in HELP:
            return None
        name, has_value, value = word.partition("=")
        option = _expect_option(command, name)
        if not option.value:
            if has_value:
                raise Usage(f"{name} எந்த மதிப்பையும் ஏற்பதில்லை", f"{name} takes no value")
            options[_key(option)] = 1
            continue
        if not has_value:
            if position == len(words):
                raise Usage(f"{name}-க்குப் பின் ஒரு மதிப்பு தேவை", f"{name} needs a value")
            value = words[position]
            position += 1
        if option.is_text:
            texts.setdefault(_key(option), []).append(value)
        else:
            options[_key(option)] = _expect_count(name, value)
    return _arrange(command, taken, options, texts)


def _arrange(
    command: Command, taken: list[str], options: dict[str, int], texts: dict[str, list[str]]
) -> Given:
    if command.choices and (not taken or taken[0] not in command.choices):
        raise _choose(command, taken)
    if len(taken) < command.least:
        tamil, english = ("கோப்பின் பெயர்", "a file") if "FILE" in command.form else ("பெயர்", "a name")
        raise Usage(
            f"{tamil} தேவை: etamil-actors {command.word} {command.form}",
            f"{english} is needed: etamil-actors {command.word} {command.form}",
        )
    if command.leaves_rest:
        return Given(taken[: command.most], options, taken[command.most :], texts)
    if 0 <= command.most < len(taken):
        extra = taken[command.most]
        raise Usage(f"‘{extra}’ இங்கே தேவையில்லை", f"‘{extra}’ is one word too many")
    return Given(taken, options, [], texts)


def _choose(command: Command, taken: Sequence[str]) -> Usage:
    choices = ", ".join(command.choices)
    if not taken:
        return Usage(f"{command.word}: இவற்றில் ஒன்று தேவை: {choices}", f"{command.word}: one of {choices}")
    hint_tamil, hint_english = _near(taken[0], command.choices)
    return Usage(
        f"{command.word}: ‘{taken[0]}’ இல்லை; இவற்றில் ஒன்று: {choices}{hint_tamil}",
        f"{command.word}: not ‘{taken[0]}’, but one of {choices}{hint_english}",
    )


def _key(option: Option) -> str:
    return option.word.lstrip("-")


def _expect_option(command: Command, name: str) -> Option:
    for option in command.options:
        if option.word == name:
            return option
    known = [option.word for option in command.options] + [HELP[0]]
    hint_tamil, hint_english = _near(name, known)
    raise Usage(
        f"{command.word} கட்டளைக்கு {name} என்ற விருப்பம் இல்லை{hint_tamil}",
        f"{command.word} has no option {name}{hint_english}",
    )


def _expect_count(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise Usage(
            f"{name}: ‘{value}’ ஒரு முழு எண் அல்ல", f"{name}: ‘{value}’ is not a whole number"
        )
    return int(value)


def unknown_command(word: str) -> Usage:
    """The refusal of a word that is no command, with the likeliest meant one."""
    if word.endswith(".qmz") or os.path.isfile(word):
        return Usage(
            f"‘{word}’ என்ற கட்டளை இல்லை; நிரலை இயக்க: etamil-actors run {word}",
            f"there is no command ‘{word}’; to run the program: etamil-actors run {word}",
        )
    hint_tamil, hint_english = _near(word, [*COMMAND_OF, "--help", "--version"])
    return Usage(
        f"‘{word}’ என்ற கட்டளை இல்லை{hint_tamil or '; உதவி: etamil-actors --help'}",
        f"there is no command ‘{word}’{hint_english or '; help: etamil-actors --help'}",
    )


def _near(word: str, known: Sequence[str]) -> tuple[str, str]:
    from etamil_actors.language.nearby import nearest

    found = nearest(word, known)
    return (f"; ‘{found}’ என்று எழுத எண்ணினீர்களா?", f"; did you mean ‘{found}’?") if found else ("", "")


# ---- help -----------------------------------------------------------------------------


def version_line() -> str:
    """What ``--version`` prints."""
    from etamil_actors import __version__

    major, minor, patch = sys.version_info[:3]
    return f"etamil-actors {__version__} (eTamil 2.0, Python {major}.{minor}.{patch})"


def general_help() -> str:
    """The page of ``etamil-actors --help``."""
    parts = [
        "etamil-actors — தமிழில் எழுதிய நிரல்களை இயக்கும்\n"
        "                (runs programs written in eTamil)\n\n"
        "பயன்பாடு  (usage): etamil-actors COMMAND …\n",
    ]
    parts += [_paragraph(command) for command in COMMANDS]
    parts.append(
        "  --version, -V\n      பதிப்பைச் சொல்லும்.  (tells the version.)\n"
        "      எடுத்துக்காட்டு  (example): etamil-actors --version\n"
    )
    parts.append("ஒரு கட்டளையின் விருப்பங்கள்  (options of a command): etamil-actors run --help\n")
    return "\n".join(parts)


def _paragraph(command: Command) -> str:
    head = f"  {command.word} {command.form}".rstrip()
    return (
        f"{head}\n      {command.tamil}\n      ({command.english})\n"
        f"      எடுத்துக்காட்டு  (example): {command.example}\n"
    )


def help_of(command: Command) -> str:
    """The page of ``etamil-actors COMMAND --help``."""
    options = " [OPTION …]" if command.options else ""
    lines = [
        f"பயன்பாடு  (usage): etamil-actors {command.word}{options} {command.form}".rstrip(),
        "",
        command.tamil,
        f"({command.english})",
        "",
        f"எடுத்துக்காட்டு  (example): {command.example}",
    ]
    if command.options:
        lines += ["", "விருப்பங்கள்  (options):"]
        for option in command.options:
            lines += [f"  {option.form}", f"      {option.tamil}", f"      ({option.english})"]
    return "\n".join(lines) + "\n"


# ---- streams --------------------------------------------------------------------------


def _speak_utf8() -> None:
    # Programs and messages are Tamil; the locale of a pipe or a cron job often is not.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 — lives as long as we do
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    _make_utf8(sys.stdout, "replace")
    _make_utf8(sys.stderr, "backslashreplace")
    if sys.stdin is not None:
        _make_utf8(sys.stdin, "replace")


def _make_utf8(stream: TextIO, errors: str) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:  # a test may have put something simpler in its place
        reconfigure(encoding="utf-8", errors=errors)


def _flush_quietly() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        _forget_stdout()


def _forget_stdout() -> None:
    # What is still buffered would raise again when the interpreter flushes it at its end.
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        pass
