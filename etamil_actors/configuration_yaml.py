"""config.yaml as a tree of YAML, or what is wrong with it in words for people who do not know YAML.

Nothing of the file is made into objects. The parser's own words speak of tokens and blocks; here stands what
a person has to look at instead, with the line where the mistake began and not where it was noticed. What the
file holds there is not repeated: a secret may begin with any sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from etamil_actors.configuration_table import LARGEST, ConfigError, short

TYPE_CHECKING = False
if TYPE_CHECKING:
    import yaml

OWN: Final = "tag:yaml.org,2002:"

STANDARD_TAGS: Final = frozenset(
    f"{OWN}{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "seq", "map")
)
"""What YAML finds in plain values by itself."""

MERGE_TAG: Final = f"{OWN}merge"
DEEPEST: Final = 100
EXAMPLE: Final = "services: [api.qmz]"


def compose(path: str) -> yaml.MappingNode:
    """The tree of a file. Raises: OSError, ConfigError."""
    import yaml

    with open(path, "rb") as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise ConfigError(
            f"{path}:1", f"{LARGEST} பைட்டுகளுக்கு மேல் உள்ளது", f"it is larger than {LARGEST} bytes"
        )
    depth = 0

    class Bounded(yaml.SafeLoader):
        """Goes down so far and no further, however deep the process may call."""

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            nonlocal depth
            if depth == DEEPEST:
                line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
                raise _not_yaml(path, line, "மிக ஆழமாகப் பொதிந்துள்ளது", "it is nested too deeply")
            depth += 1
            node: yaml.Node | None = super().compose_node(parent, index)
            depth -= 1
            return node

    try:
        root = yaml.compose(text, Loader=Bounded)
    except yaml.reader.ReaderError:
        raise _unreadable(path, text) from None
    except yaml.MarkedYAMLError as error:
        raise _told(path, text, error) from None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(
            f"{path}:1",
            f"அமைப்புகள் ‘பெயர்: மதிப்பு’ என இருக்க வேண்டும்; எ.கா. ‘{EXAMPLE}’",
            f"settings are written ‘name: value’; for example ‘{EXAMPLE}’",
        )
    return root


def nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Every node, names too, each once: what has an alias has many parents, itself perhaps among them."""
    import yaml

    seen: set[int] = set()
    waiting: list[yaml.Node] = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def expect_no_tags(path: str, root: yaml.Node) -> None:
    """A value says itself what it is. Raises: ConfigError at a ``!tag``, which elsewhere makes objects."""
    for node in nodes(root):
        if node.tag not in STANDARD_TAGS:
            tag = "!!" + short(node.tag.removeprefix(OWN)) if node.tag.startswith(OWN) else "!…"
            raise ConfigError(
                f"{path}:{node.start_mark.line + 1}",
                f"‘{tag}’: குறிச்சொல் (tag) இங்கே வரக்கூடாது; மதிப்பை மட்டும் எழுதவும், சூழல் மாறிக்கு ‘${{NAME}}’;"
                " ‘!’ உடன் தொடங்கும் உரையை மேற்கோள் குறிகளுக்குள் எழுதவும்",
                f"‘{tag}’: a tag cannot stand here; write the value alone, ‘${{NAME}}’ for a variable of the"
                " environment, and a text that begins with ‘!’ in quotes",
            )


# ---- what is wrong with it ------------------------------------------------------------


class Mistake(NamedTuple):
    """What the parser says, and what it mostly means."""

    said: str
    """A pattern for its context and its problem, with a space between."""
    tamil: str
    english: str
    is_where_it_began: bool = False
    """Is the line that of the context, not that of the problem?"""


MISTAKES: Final = (
    Mistake(r"found character '\\t'",
            "தாவல் (Tab) இங்கே வரக்கூடாது; இடைவெளிகளால் உள்தள்ளவும்",
            "a tab cannot stand here; indent with spaces"),
    Mistake(r"found character '(.)' that cannot start",
            "மதிப்பு ‘{0}’ உடன் தொடங்க முடியாது; அதை மேற்கோள் குறிகளுக்குள் எழுதவும்",
            "a value cannot begin with ‘{0}’; write it in quotes"),
    Mistake(r"while scanning an alias",
            "‘*’ உடன் தொடங்கும் மதிப்பை மேற்கோள் குறிகளுக்குள் எழுதவும்",
            "write a value that begins with ‘*’ in quotes"),
    Mistake(r"while scanning an anchor",
            "‘&’ உடன் தொடங்கும் மதிப்பை மேற்கோள் குறிகளுக்குள் எழுதவும்",
            "write a value that begins with ‘&’ in quotes"),
    Mistake(r"found undefined alias",
            "‘*’ உடன் தொடங்கும் மதிப்பை மேற்கோள் குறிகளுக்குள் எழுதவும்;"
            " ‘*பெயர்’ என்பது முன்பு ‘&பெயர்’ எனக் குறித்ததைச் சுட்டும்",
            "write a value that begins with ‘*’ in quotes;"
            " ‘*name’ stands for what was marked ‘&name’ before"),
    Mistake(r"found duplicate anchor",
            "‘&’ இட்ட ஒரு பெயர் இருமுறை உள்ளது", "a name with ‘&’ is given twice"),
    Mistake(r"quoted scalar found unexpected (end of stream|document separator)",
            "இங்கே தொடங்கும் மேற்கோள் குறி மூடப்படவில்லை",
            "the quotation mark that begins here is never closed", is_where_it_began=True),
    Mistake(r"found unknown escape character '(.+)'",
            "\" குறிகளுக்குள் ‘\\{0}’ பொருளற்றது; ‘\\\\’ என எழுதவும், அல்லது ' குறிகளைப் பயன்படுத்தவும்",
            "between \" there is no ‘\\{0}’; write ‘\\\\’, or use ' instead"),
    Mistake(r"expected ',' or '([\]}])'",
            "இங்கே தொடங்கும் அடைப்புக்குறிக்கு ‘{0}’ இல்லை, அல்லது இரு மதிப்புகளுக்கு இடையே ‘,’ இல்லை",
            "the bracket that begins here has no ‘{0}’, or a ‘,’ is missing between two values",
            is_where_it_began=True),
    Mistake(r"could not find expected ':'",
            "‘பெயர்: மதிப்பு’ என இருக்க வேண்டும்; ‘:’, அதற்குப் பின் ஓர் இடைவெளி இரண்டும் தேவை",
            "it should be ‘name: value’, with ‘:’ and a space after it", is_where_it_began=True),
    Mistake(r"mapping values are not allowed here",
            "‘:’ இங்கே வர முடியாது; இந்த வரியின் உள்தள்ளலையும், மேல் வரியில் ‘:’-க்குப் பின் இடைவெளி உள்ளதா"
            " என்பதையும் பார்க்கவும்; ‘: ’ உள்ள மதிப்பை மேற்கோள் குறிகளுக்குள் எழுதவும்",
            "‘:’ cannot stand here; look at how this line is indented, and whether ‘:’ has a space after it"
            " in the line above; write a value with ‘: ’ in it in quotes"),
    Mistake(r"expected <block end>, but found '(<block \w+ start>|\?|-)'|sequence entries are not allowed",
            "இந்த வரியின் உள்தள்ளல் மேலுள்ள வரிகளுடன் பொருந்தவில்லை",
            "this line is not indented like those above it"),
    Mistake(r"expected <block end>",
            "மதிப்புக்குப் பின் வேறொன்று உள்ளது; மேற்கோள் குறிகளையும் அடைப்புக்குறிகளையும் பார்க்கவும்",
            "something stands after the value; look at its quotes and brackets"),
    Mistake(r"expected the node content, but found '(.+)'",
            "இங்கே ஒரு மதிப்பு தேவை, ‘{0}’ அல்ல; அந்த எழுத்து மதிப்பில் இருந்தால் மேற்கோள் குறிகளுக்குள் எழுதவும்",
            "a value is needed here, not ‘{0}’; if that belongs to the value, write it in quotes"),
    Mistake(r"found undefined tag handle|while (parsing|scanning) a tag",
            "‘!’ உடன் தொடங்கும் மதிப்பை மேற்கோள் குறிகளுக்குள் எழுதவும்",
            "write a value that begins with ‘!’ in quotes"),
    Mistake(r"but found another document",
            "‘---’ உடன் இரண்டாவது அமைப்பு தொடங்குகிறது; ஒரு கோப்பில் ஒன்றுதான் இருக்கலாம்",
            "with ‘---’ a second configuration begins; a file holds one"),
)  # fmt: skip


def _told(path: str, text: bytes, error: yaml.MarkedYAMLError) -> ConfigError:
    said = f"{error.context or ''} {error.problem or ''}"
    mark = error.problem_mark or error.context_mark
    tamil = english = error.problem or "?"
    for one in MISTAKES:
        if found := re.search(one.said, said):
            tamil, english = (words.format(*found.groups()) for words in (one.tamil, one.english))
            if one.is_where_it_began and error.context_mark is not None:
                mark = error.context_mark
            break
    line = mark.line + 1 if mark is not None else 1
    lines = text.splitlines()
    if line <= len(lines) and b"${" in lines[line - 1]:
        tamil += "; ‘${…}’-ஐ மேற்கோள் குறிகளுக்குள் எழுதவும்"
        english += "; write ‘${…}’ in quotes"
    return _not_yaml(path, line, tamil, english)


def _unreadable(path: str, content: bytes) -> ConfigError:
    """A file with what is no text, or no text that people can see."""
    import yaml

    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return _not_yaml(
            path,
            content.count(b"\n", 0, error.start) + 1,
            "UTF-8 உரை அல்ல; கோப்பை UTF-8 ஆகச் சேமிக்கவும்",
            "it is no text in UTF-8; save the file as UTF-8",
        )
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    number = f"U+{ord(found[0]):04X}" if found else "?"
    return _not_yaml(
        path,
        text.count("\n", 0, found.start() if found else 0) + 1,
        f"கண்ணுக்குத் தெரியாத ஓர் எழுத்து ({number}) உள்ளது; அதை நீக்கவும்",
        f"there is a character that cannot be seen ({number}); take it away",
    )


def _not_yaml(path: str, line: int, tamil: str, english: str) -> ConfigError:
    return ConfigError(f"{path}:{line}", f"YAML அல்ல: {tamil}", f"not YAML: {english}")
