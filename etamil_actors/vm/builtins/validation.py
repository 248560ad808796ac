"""``xtype_சரிபார்``: what comes from outside is what the program takes it for (EXTENSIONS §10).

A shape of the program goes before a kind of the same name: who has named it means it.
"""

from __future__ import annotations

from unicodedata import normalize

from etamil_actors.errors import KIND_IN_TAMIL, Fault
from etamil_actors.vm.builtins.registry import implements, tamil_name
from etamil_actors.vm.convert import kind_of, text_of
from etamil_actors.vm.entering import entered
from etamil_actors.vm.kinds import KINDS
from etamil_actors.vm.values import FieldInfo, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from etamil_actors.vm.machine import Machine


@implements("_validate", machine=True)
def validate(machine: Machine, value: Value, kind: Value) -> Value:
    """xtype_சரிபார்(value, kind): the value, made a record of the shape if it is one."""
    name = normalize("NFC", text_of(kind))  # as names of shapes are
    shapes = machine.image.shapes
    if name in shapes:
        return entered(FieldInfo(name, "Shape", name, False), value, shapes)
    check = KINDS.get(name)
    if check is None:
        known = ", ".join(KINDS)
        raise Fault(
            "value.invalid",
            name=tamil_name("_validate"),
            problem_ta=f"‘{name}’ என்ற வகையோ வடிவமோ இல்லை; இருப்பவை: {known}",
            problem_en=f"there is no kind and no shape ‘{name}’; known are {known}",
        )
    if type(value) is not str:
        came = kind_of(value)
        came_ta = KIND_IN_TAMIL.get(came, came)
        raise _refused(name, f"உரை தேவை; {came_ta} கிடைத்தது", f"a text is wanted, not {came}")
    wrong = check(value)
    if wrong is not None:
        raise _refused(name, wrong.tamil, wrong.english)
    return value


def _refused(kind: str, tamil: str, english: str) -> Fault:
    return Fault("validation", tamil=f"{kind}: {tamil}", english=f"{kind}: {english}", details={"kind": kind})
