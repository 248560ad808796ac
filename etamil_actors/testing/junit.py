"""Results of tests as JUnit XML, the form that build servers read.

One ``testsuite`` for each file, one ``testcase`` for each சோதனை. A failed expectation is a ``failure``;
whatever else went wrong is an ``error``, also a file that could not be run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree as xml

from etamil_actors.testing.suite import BROKEN, CaseResult, FileResult

NAME: Final = "etamil-actors test"

# XML 1.0 has no way to write these at all.
_NOT_IN_XML: Final = re.compile("[^\\t\\n\\r\\u0020-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def junit_text(files: Sequence[FileResult], moment: datetime | None = None) -> str:
    """The whole document."""
    stamp = (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S")
    suites = [_suite(file, number, stamp) for number, file in enumerate(files)]
    root = xml.Element("testsuites", name=NAME)
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.set("time", _seconds(sum(file.seconds for file in files)))
    root.extend(suites)
    xml.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml.tostring(root, encoding="unicode")}\n'


def _suite(file: FileResult, number: int, stamp: str) -> xml.Element:
    cases = [_case(case) for case in file.cases]
    if file.kind == BROKEN:
        cases.append(_broken(file))
    suite = xml.Element(
        "testsuite",
        id=str(number),
        name=_clean(file.path),
        package="",
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped="0",
        time=_seconds(file.seconds),
        timestamp=stamp,
        hostname="localhost",
    )
    suite.extend(cases)
    return suite


def _case(case: CaseResult) -> xml.Element:
    element = xml.Element(
        "testcase",
        classname=_clean(case.file),
        name=_clean(case.name),
        file=_clean(case.file),
        line=str(case.line),
        time=_seconds(case.seconds),
    )
    if case.failures:
        first = case.failures[0]
        tag = "failure" if first.kind == "expectation" else "error"
        lines = []
        for failure in case.failures:
            lines.append(failure.message)
            lines += [f"    {frame.file}:{frame.line}:{frame.column}" for frame in failure.trace]
        lines += [f"    {difference}" for difference in case.differences]
        problem = xml.SubElement(element, tag, type=first.kind, message=_clean(first.message))
        problem.text = _clean("\n".join(lines))
        if case.output:
            xml.SubElement(element, "system-out").text = _clean(case.output)
        if case.log:
            xml.SubElement(element, "system-err").text = _clean("\n".join(case.log))
    return element


def _broken(file: FileResult) -> xml.Element:
    path = _clean(file.path)
    element = xml.Element("testcase", classname=path, name=path, file=path, time=_seconds(0))
    text = "\n".join(file.problems)
    message = text.split("\n", 1)[0]
    xml.SubElement(element, "error", type=BROKEN, message=_clean(message)).text = _clean(text)
    return element


def _seconds(time: float) -> str:
    return f"{time:.3f}"


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
