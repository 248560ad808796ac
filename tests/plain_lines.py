"""Lines of the log as people read them on a terminal, made of the JSON that a process without one writes."""

from __future__ import annotations

import json

INDENTED = {
    "process.job": 4, "process.agents": 4, "process.channels": 2, "process.addresses": 2,
    "process.observer": 2, "process.watching": 2,
}  # fmt: skip
"""How far what has started stands to the right."""

MARKS = {"error": "✗ ", "warn": "⚠ ", "info": "· ", "debug": "… "}


def plain(line: str) -> list[str]:
    """One line of standard error, as one or several; what is no JSON, and the access log, stay as they are."""
    if not line.startswith('{"time"') or '"event":"http"' in line:
        return [line]
    told = json.loads(line)
    if "service" in told:  # what a program logs
        fields = f" {json.dumps(told['fields'], ensure_ascii=False)}" if "fields" in told else ""
        return [f"{MARKS[told['level']]}{told['service']} · {told['activity']}: {told['event']}{fields}"]
    if told["event"] == "process.route":
        return [f"    {told['method']} {told['path']}", *[f"        {url}" for url in told["urls"]]]
    if told["event"] == "process.service":
        more = told["message"].removeprefix(told["of"]).strip()
        return [f"  {told['of']}", *([f"    {more}"] if more else [])]
    if "message" in told:
        text = " " * INDENTED.get(told["event"], 0) + told["message"]
    else:
        text = f"{told['tamil']}  ({told['english']})"
        if "then" in told:
            text += f" → {told['then']}"
    error = told.get("error")
    if error is not None:
        said = f"{error['tamil']}  ({error['english']})  [{error['code']}]" if "code" in error else error["message"]
        text += f": {said}"
    mark = "" if told["event"].startswith("process.") else MARKS[told["level"]]
    lines = [part.rstrip("\n") for part in f"{mark}{text}".split("\n")]
    return lines + [_place(one) for one in (error or {}).get("trace", ())]


def _place(told: str) -> str:
    place, _, _ = told.partition(" ")
    file, line, column = place.rsplit(":", 2)
    return f"    {file}: வரி {line}, நெடுவரிசை {column}  (line {line}, column {column})"
