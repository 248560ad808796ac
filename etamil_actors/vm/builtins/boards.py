"""Pins, clock and serial ports of a small computer (REFERENCE §28).

Two boards are offered. ``sim``, when ``ETAMIL_BOARD`` says so, is simulated in full, with a
clock of its own; what it holds lives on the machine. Everywhere else the board is ``host``, which
has no pins: calls that need some answer a தவறு, the clock and waiting are real. A Raspberry Pi
counts as a host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.errors import failed
from etamil_actors.vm.builtins.registry import implements
from etamil_actors.vm.effects import Sleep
from etamil_actors.vm.limits import admit_array
from etamil_actors.vm.values import Err, Ok, Value

if TYPE_CHECKING:
    from etamil_actors.vm.machine import Machine

MODES: Final = ("out", "in", "in_pullup")
HIGHEST_READING: Final = 1023
LONGEST_WAIT: Final = 366 * 86_400_000


class SimulatedBoard:
    """Pins, clock and serial ports of one machine."""

    __slots__ = ("arriving", "levels", "milliseconds", "modes", "ports", "readings", "sent", "set_levels")

    def __init__(self) -> None:
        self.milliseconds = 0
        self.modes: dict[int, str] = {}
        self.levels: dict[int, int] = {}
        """What was written to outputs."""
        self.set_levels: dict[int, int] = {}
        """What inputs shall read."""
        self.readings: dict[int, int] = {}
        self.ports: list[str | None] = []
        """The device of each port that was opened; nothing once it is closed."""
        self.arriving: dict[str, list[str]] = {}
        self.sent: dict[str, str] = {}


# ── the board ───────────────────────────────────────────────────────────────────────────────────────


@implements("_boardName", machine=True)
def board_name(machine: Machine) -> str:
    """``வன்_பலகை``: "sim" or "host"."""
    return "sim" if _simulated(machine) else "host"


def _simulated(machine: Machine) -> SimulatedBoard | None:
    """The simulated board of this machine, if that is what it has."""
    if machine.world.environment("ETAMIL_BOARD") != "sim":
        return None
    board = machine.state.setdefault("board", SimulatedBoard())
    assert isinstance(board, SimulatedBoard)
    return board


def _no_pins() -> Err:
    return failed("இந்தப் பலகையில் இது இல்லை", "this board does not have that")


def _only_simulated() -> Err:
    return failed("இது போலிப் பலகையில் மட்டுமே இயங்கும்", "this works on the simulated board only")


# ── pins ────────────────────────────────────────────────────────────────────────────────────────────


@implements("_pinMode", machine=True)
def pin_mode(machine: Machine, pin: int, mode: str) -> Ok | Err:
    """``வன்_முனை_வகை``: say what a pin is for; an output starts low."""
    board = _simulated(machine)
    if mode not in MODES:
        return failed(
            f"‘{mode[:40]}’ என்ற முனை வகை இல்லை; out, in, in_pullup ஆகியவையே உண்டு",
            f"there is no mode ‘{mode[:40]}’; there are out, in, in_pullup",
        )
    if board is None:
        return _no_pins()
    board.modes[pin] = mode
    board.levels[pin] = 0
    return Ok(None)


@implements("_pinWrite", machine=True)
def pin_write(machine: Machine, pin: int, level: int) -> Ok | Err:
    """``வன்_முனை_எழுது``: set an output high or low."""
    board = _simulated(machine)
    if board is None:
        return _no_pins()
    mode = board.modes.get(pin)
    if mode is None:
        return _no_mode(pin)
    if mode != "out":
        return failed(f"முனை {pin} வெளியீடு அல்ல", f"pin {pin} is no output")
    board.levels[pin] = int(level != 0)
    return Ok(None)


@implements("_pinRead", machine=True)
def pin_read(machine: Machine, pin: int) -> Ok | Err:
    """``வன்_முனை_படி``: read a pin."""
    board = _simulated(machine)
    if board is None:
        return _no_pins()
    match board.modes.get(pin):
        case None:
            return _no_mode(pin)
        case "out":
            return Ok(board.levels[pin])
        case mode:
            return Ok(board.set_levels.get(pin, int(mode == "in_pullup")))


def _no_mode(pin: int) -> Err:
    return failed(f"முனை {pin}-க்கு இன்னும் வகை குறிக்கப்படவில்லை", f"pin {pin} has no mode yet")


@implements("_analogRead", machine=True)
def analog_read(machine: Machine, pin: int) -> Ok | Err:
    """``வன்_ஒப்புமை_படி``: read an analogue pin."""
    board = _simulated(machine)
    return _no_pins() if board is None else Ok(board.readings.get(pin, 0))


@implements("_tone", machine=True)
def tone(machine: Machine, pin: int, hertz: int) -> Ok | Err:
    """``வன்_ஒலி``: start a tone, which nobody hears."""
    return _no_pins() if _simulated(machine) is None else Ok(None)


@implements("_noTone", machine=True)
def no_tone(machine: Machine, pin: int) -> Ok | Err:
    """``வன்_ஒலி_நிறுத்து``: stop it."""
    return _no_pins() if _simulated(machine) is None else Ok(None)


# ── time ────────────────────────────────────────────────────────────────────────────────────────────


@implements("_millis", machine=True)
def millis(machine: Machine) -> int:
    """``வன்_மில்லி``: milliseconds since the first call; on sim its clock."""
    board = _simulated(machine)
    if board is not None:
        return board.milliseconds
    numerator, denominator = machine.world.wall_time().as_integer_ratio()
    now = numerator * 1000 // denominator
    start = machine.state.setdefault("board.start", now)
    assert isinstance(start, int)
    return max(0, now - start)


@implements("_sleepMs", machine=True)
def sleep_ms(machine: Machine, milliseconds: int) -> Ok:
    """``வன்_காத்திரு``: wait; on sim move the clock."""
    wait = max(0, min(milliseconds, LONGEST_WAIT))
    board = _simulated(machine)
    if board is not None:
        board.milliseconds += wait
    else:
        machine.perform(Sleep(wait / 1000))
    return Ok(None)


@implements("_watchdogBegin")
def watchdog_begin(milliseconds: int) -> Ok:
    """``வன்_காவல்``: nothing, off a microcontroller."""
    return Ok(None)


@implements("_watchdogFeed")
def watchdog_feed() -> Ok:
    """``வன்_காவல்_புதுப்பி``: nothing, off a microcontroller."""
    return Ok(None)


# ── serial ports ────────────────────────────────────────────────────────────────────────────────────


@implements("_serialOpen", machine=True)
def serial_open(machine: Machine, device: str, baud: int) -> Ok | Err:
    """``வன்_தொடர்_திற``: open a serial port; answers its handle."""
    board = _simulated(machine)
    if board is None:
        return _no_pins()
    if not (device.startswith("sim:") or (device.isascii() and device.isdigit())):
        return failed(
            f"‘{device[:40]}’ என்ற கருவி இல்லை; ‘sim:பெயர்’ அல்லது இலக்கங்கள் தேவை",
            f"there is no device ‘{device[:40]}’; ‘sim:name’ or digits are wanted",
        )
    board.ports.append(device)
    return Ok(len(board.ports))


@implements("_serialReadLine", machine=True)
def serial_read_line(machine: Machine, port: int, milliseconds: int) -> Ok | Err:
    """``வன்_தொடர்_படி``: the next whole line, or nothing if none came in time."""
    board = _simulated(machine)
    device = _device(board, port)
    if board is None or device is None:
        return _not_open()
    lines = board.arriving.get(device)
    if lines:
        return Ok(lines.pop(0))
    # Nothing can arrive while we wait, but the time passes.
    board.milliseconds += max(0, min(milliseconds, LONGEST_WAIT))
    return Ok(None)


@implements("_serialWrite", machine=True)
def serial_write(machine: Machine, port: int, text: str) -> Ok | Err:
    """``வன்_தொடர்_எழுது``: write to a port; answers the bytes."""
    board = _simulated(machine)
    device = _device(board, port)
    if board is None or device is None:
        return _not_open()
    board.sent[device] = board.sent.get(device, "") + text
    return Ok(len(text.encode()))


@implements("_serialClose", machine=True)
def serial_close(machine: Machine, port: int) -> Ok | Err:
    """``வன்_தொடர்_மூடு``: close a port."""
    board = _simulated(machine)
    if board is None or _device(board, port) is None:
        return _not_open()
    board.ports[port - 1] = None
    return Ok(None)


def _device(board: SimulatedBoard | None, port: int) -> str | None:
    return board.ports[port - 1] if board is not None and 1 <= port <= len(board.ports) else None


def _not_open() -> Err:
    return failed("இந்தத் தொடர் வாயில் திறக்கப்படவில்லை", "this serial port is not open")


# ── feeding and reading the simulated board ─────────────────────────────────────────────────────────


@implements("_simSetPin", machine=True)
def sim_set_pin(machine: Machine, pin: int, level: int) -> Ok | Err:
    """``போலி_முனை_அமை``: what an input will read."""
    board = _simulated(machine)
    if board is None:
        return _only_simulated()
    board.set_levels[pin] = int(level != 0)
    return Ok(None)


@implements("_simSetAnalog", machine=True)
def sim_set_analog(machine: Machine, pin: int, reading: int) -> Ok | Err:
    """``போலி_ஒப்புமை_அமை``: what an analogue pin will read."""
    board = _simulated(machine)
    if board is None:
        return _only_simulated()
    if not 0 <= reading <= HIGHEST_READING:
        return failed(
            f"அளவீடு 0 முதல் {HIGHEST_READING} வரை இருக்க வேண்டும்",
            f"a reading lies from 0 to {HIGHEST_READING}",
        )
    board.readings[pin] = reading
    return Ok(None)


@implements("_simAdvanceMs", machine=True)
def sim_advance_ms(machine: Machine, milliseconds: int) -> Ok | Err:
    """``போலி_நேரம்_நகர்``: move the clock forward."""
    board = _simulated(machine)
    if board is None:
        return _only_simulated()
    if not 0 <= milliseconds <= LONGEST_WAIT:
        return failed("நேரம் முன்னோக்கி மட்டுமே நகரும்", "time moves forward only")
    board.milliseconds += milliseconds
    return Ok(None)


@implements("_simFeedSerial", machine=True)
def sim_feed_serial(machine: Machine, device: str, lines: str) -> Ok | Err:
    """``போலி_வரி_ஊட்டு``: lines arrive at a port."""
    board = _simulated(machine)
    if board is None:
        return _only_simulated()
    arriving = board.arriving.setdefault(device, [])
    arriving += [line.removesuffix("\r") for line in lines.removesuffix("\n").split("\n")] if lines else []
    admit_array(len(arriving))
    return Ok(None)


@implements("_simSerialOutput", machine=True)
def sim_serial_output(machine: Machine, device: str) -> list[Value]:
    """``போலி_வரி_வெளியீடு``: the whole lines written to a port since last asked."""
    board = _simulated(machine)
    if board is None:
        raise Fault(
            "not_here",
            name="போலி_வரி_வெளியீடு",
            problem_ta="இது போலிப் பலகையில் மட்டுமே இயங்கும்",
            problem_en="it works on the simulated board only",
        )
    *whole, rest = board.sent.get(device, "").split("\n")
    board.sent[device] = rest
    return [line.removesuffix("\r") for line in whole]
