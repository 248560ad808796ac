"""Words for what is wrong with config.yaml as a whole: what stands where something else is wanted, and where
a name belongs that nothing has. What is wrong with single values is told by their kinds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from etamil_actors.configuration_table import SERVICE, http_reference, short

TYPE_CHECKING = False
if TYPE_CHECKING:
    import yaml

HOLD_SECRETS: Final = ("auth.", "database", "http.session", "http.tls", "tracing", "observer")
"""In these sections what is written is not repeated where it is out of place."""

MOST_TOLD: Final = 12
"""So many names are told to whoever has written another."""

MEANT: Final[Mapping[str, str]] = {
    "port": "bind", "host": "bind", "listen": "bind", "address": "bind", "முகவரி": "bind",
    "timeout": "handler_time", "workers": "processes", "ssl": "tls", "cert": "certificate",
    "பெயர்": "name", "சேவைகள்": "services", "சேனல்கள்": "channels", "பாதை": "path",
    "தரவுத்தளம்": "database", "தரவுதளம்": "database", "databases": "database", "logging": "log",
}  # fmt: skip
"""What somebody writes who knows other servers, or thinks in Tamil."""


def what_stands(node: yaml.Node, *, is_secret: bool = False) -> tuple[str, str]:
    """What stands where something else is wanted."""
    import yaml

    if isinstance(node, yaml.SequenceNode):
        return ", பட்டியல் அல்ல", ", not a list"
    if isinstance(node, yaml.MappingNode):
        return ", ‘பெயர்: மதிப்பு’ அல்ல", ", not ‘name: value’"
    if not node.value:
        return "; இங்கே எதுவும் எழுதப்படவில்லை", "; nothing is written here"
    if is_secret:
        return ", ஒரே மதிப்பு அல்ல", ", not one value"
    return f", ‘{short(node.value)}’ அல்ல", f", not ‘{short(node.value)}’"


def below(homes: Sequence[str], meant: str) -> tuple[str, str]:
    """Where it is to be written, and as what."""
    tamil, english = (f"‘{meant}’ என", f"‘{meant}’ is") if meant else ("அது", "it is")
    if not homes[0]:
        return (
            f"; {tamil} மேல்நிலையில், உள்தள்ளாமல் எழுதப்படும்",
            f"; {english} written at the top level, without indentation",
        )
    places = [f"‘{home}’" for home in homes]
    return (
        f"; {tamil} {' அல்லது '.join(places)} என்பதன் கீழ் எழுதப்படும்",
        f"; {english} written below {' or '.join(places)}",
    )


def all_there_is(known: Sequence[str], name: str) -> tuple[str, str]:
    """All that there is, or who tells it."""
    if len(known) <= MOST_TOLD:
        listed = ", ".join(known)
        return f"; உள்ளவை: {listed}", f"; there is {listed}"
    command = f"etamil-actors config reference {name}".rstrip()
    return f"; உள்ளவற்றைக் காட்டுவது: {command}", f"; for all that there is: {command}"


def homes_of(key: str, top: Collection[str]) -> list[str]:
    """The sections in which there is a setting of this name, the whole file (an empty name) first.

    ``top`` has the names that stand at the top level.
    """
    from etamil_actors.configuration_auth import reference as auth_reference
    from etamil_actors.configuration_resources import reference

    found = dict.fromkeys([""] if key in top else [])
    sections = auth_reference() | reference()
    for entry in (*SERVICE, *http_reference(), *(one for rows in sections.values() for one in rows)):
        parts = entry.key.split(".")
        for place in range(1, len(parts)):
            if parts[place] == key:
                found[".".join(parts[:place])] = None
    return list(found)


def no_database(name: str, *, is_missing: bool) -> tuple[str, str]:
    # The url itself is not told: it may hold a password.
    begins = "sqlite:, postgres://, mysql:// இவற்றில் ஒன்றுடன்", "begins with sqlite:, postgres:// or mysql://"
    example = "sqlite:data/kadai.db"
    if is_missing:
        return (
            f"‘{name}’: ‘url’ இல்லை; அது {begins[0]} தொடங்கும், எ.கா. {example}",
            f"‘{name}’: ‘url’ is missing; it {begins[1]}, as {example}",
        )
    return (
        f"‘{name}.url’: {begins[0]} தொடங்க வேண்டும், எ.கா. {example}",
        f"‘{name}.url’ {begins[1]}, as {example}",
    )
