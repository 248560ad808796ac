"""What can be told of ``பணி_உருவாக்கு name, options { … }`` from its text alone (EXTENSIONS §5)."""

from __future__ import annotations

from etamil_actors.language import nodes
from etamil_actors.language.options import canonical_option


def written_options(call: nodes.Call) -> nodes.Record | None:
    """The options of a job, when they are written out where it stands."""
    last = call.options or (call.arguments[1] if len(call.arguments) > 1 else None)
    return last if isinstance(last, nodes.Record) else None


def may_consume(call: nodes.Call) -> bool:
    """Whether a job may have a channel, and with it the variable செய்தி: it says so, or its options
    are known only when the program runs."""
    record = written_options(call)
    if record is None:
        return len(call.arguments) > 1
    return any([canonical_option(pair.key.text) == "channel" for pair in record.pairs])
