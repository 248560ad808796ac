"""How databases tell what went wrong: faults in two languages, in words that hold no password."""

from __future__ import annotations

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import PoolSettings


def refused(tamil: str, english: str, **details: object) -> Fault:
    """The database, or what stands before it, refuses what it was asked."""
    return Fault(
        "db.query",
        tamil=f"SQL தோல்வி: {tamil}",
        english=f"SQL failed: {english}",
        details={"problem": english, **details},
    )


def unavailable(tamil: str, english: str, **details: object) -> Fault:
    """The database does not answer, or not in time."""
    return Fault(
        "db.unavailable",
        tamil=f"தரவுத்தளத்தை அடைய முடியவில்லை: {tamil}",
        english=f"the database cannot be reached: {english}",
        details={"problem": english, **details},
    )


def conflict(tamil: str, english: str, **details: object) -> Fault:
    """Another transaction is in the way; done again from its beginning, this one may well succeed."""
    return Fault(
        "db.conflict",
        tamil=f"வேறொரு பரிவர்த்தனை குறுக்கிட்டது: {tamil}",
        english=f"another transaction is in the way: {english}",
        details={"problem": english, **details},
    )


def lost() -> Fault:
    """The connection broke, and with it what was asked."""
    return unavailable("இணைப்பு அறுந்தது", "the connection is lost")


def too_slow(seconds: float) -> Fault:
    """A query was stopped because its time was over."""
    return unavailable(
        f"வினவல் {seconds:g} நொடிக்குள் முடியவில்லை; அது நிறுத்தப்பட்டது",
        f"the query took longer than {seconds:g} s and was stopped",
        seconds=seconds,
    )


def too_many_rows(settings: PoolSettings) -> Fault:
    """A query brings more than anybody wants to hold at once."""
    most, name = settings.max_rows, settings.name if settings.name.isidentifier() else "<name>"
    return Fault(
        "db.rows",
        tamil=f"வினவலின் விடையில் {most} வரிசைகளுக்கு மேல் உள்ளன; LIMIT சேர்த்துப் பகுதிகளாகக் கேட்கவும், அல்லது"
        f" config.yaml-இல் database.{name}.max_rows-ஐ உயர்த்தவும்",
        english=f"a query answers with more than {most} rows; ask for them in parts with LIMIT, or raise"
        f" database.{name}.max_rows in config.yaml",
        details={"rows": most},
    )


def is_too_slow(fault: Fault) -> bool:
    """Was a query stopped, or perhaps done just before?"""
    return fault.code == "db.unavailable" and "seconds" in fault.details


def answer_lost() -> Fault:
    """The connection broke while a transaction was being committed."""
    return unavailable(
        "இணைப்பு அறுந்தது; பரிவர்த்தனை முடிந்ததா என்று தெரியவில்லை",
        "the connection is lost; nobody knows whether the transaction is committed",
    )


def not_committed() -> Fault:
    """A transaction in which something had failed was to be committed."""
    return refused(
        "பரிவர்த்தனையில் ஒரு கட்டளை தோற்றதால் அது மீட்கப்பட்டது",
        "a command of the transaction had failed, so it was rolled back",
    )


def already_begun() -> Fault:
    """A transaction was to begin inside another."""
    return refused("பரிவர்த்தனை ஒன்று ஏற்கெனவே நடக்கிறது", "a transaction is open already")


def wrong_count(wanted: int, given: int) -> Fault:
    """More or fewer parameters than placeholders."""
    return refused(
        f"{wanted} அளவுருக்கள் தேவை; {given} கொடுக்கப்பட்டன", f"it takes {wanted} parameter(s), {given} given"
    )


def not_text() -> Fault:
    """A text that no text of a database can be: with a NUL, or half a letter."""
    return refused(
        "இந்த உரையைத் தரவுத்தளத்தில் வைக்க முடியாது (NUL அல்லது முறிந்த எழுத்து)",
        "a text with a NUL or a broken letter cannot be stored",
    )


def too_large(most: int) -> Fault:
    """A text or a value that is larger than the server takes."""
    return refused(
        f"கட்டளையும் மதிப்புகளும் {most} பைட்டுகளை விட நீளம்",
        f"the command and its values are longer than {most} bytes",
    )


def no_number(text: str, of: str) -> Fault:
    """A value that a column of numbers cannot hold."""
    shown = text if len(text) <= 60 else text[:60] + "…"
    return refused(f"‘{shown}’ {of} வகைக்குப் பொருந்தாது", f"‘{shown}’ does not fit the type {of}")


# ---- of pools -------------------------------------------------------------------------------


def pool_is_closed(name: str) -> Fault:
    """A pool that was closed is asked for something."""
    return Fault(
        "db.closed",
        tamil=f"‘{name}’ இணைப்புக்குளம் மூடப்பட்டது",
        english=f"the pool ‘{name}’ is closed",
        details={"pool": name},
    )


def nothing_free(name: str, most: int, seconds: float) -> Fault:
    """No connection became free in time."""
    return unavailable(
        f"‘{name}’ குளத்தின் {most} இணைப்புகளும் பயன்பாட்டில் உள்ளன; {seconds:g} நொடிக்குள் எதுவும் கிடைக்கவில்லை",
        f"all {most} connection(s) of the pool ‘{name}’ are in use, none became free within {seconds:g} s",
        pool=name,
    )


def no_answer(seconds: float) -> Fault:
    """A connection could not be made in time."""
    return unavailable(
        f"{seconds:g} நொடிக்குள் இணைக்க முடியவில்லை", f"no connection within {seconds:g} s", seconds=seconds
    )


def of_pool(name: str, fault: Fault, seconds: float = 0.0) -> Fault:
    """The same trouble with the name of the pool; with seconds: nobody tries again before they are over."""
    later_ta = f"; {seconds:.1f} நொடியில் மீண்டும் முயலும்" if seconds else ""
    later_en = f"; it is tried again in {seconds:.1f} s" if seconds else ""
    return Fault(
        fault.code,
        tamil=f"‘{name}’ குளம்: {fault.tamil}{later_ta}",
        english=f"pool ‘{name}’: {fault.english}{later_en}",
        details={**fault.details, "pool": name},
    )


# ---- of SQLite ------------------------------------------------------------------------------


def others_write(seconds: float) -> Fault:
    """A file was locked all the time."""
    return conflict(
        f"அது எழுதிக்கொண்டிருக்கிறது; {seconds:g} நொடிக்குள் முறை வரவில்லை",
        f"it is writing, and did not end within {seconds:g} s",
        seconds=seconds,
    )


def needs_folder(path: str) -> Fault:
    """A database with a log is where nothing may be written."""
    return unavailable(
        f"‘{path}’ உள்ள கோப்புறையில் எழுத முடியாது; குறிப்பேடு (WAL) உள்ள தரவுத்தளத்தைப் படிக்கவும் அது தேவை;"
        " யாரும் அதில் எழுதப் போவதில்லை என்றால் முகவரிக்குப் பின் ‘?mode=ro&immutable=1’ எனச் சேர்க்கவும்",
        f"nothing can be written in the folder of ‘{path}’; a database with a log (WAL) needs it even to be"
        " read; if nobody ever writes to it, add ‘?mode=ro&immutable=1’ to its url",
    )


def only_read(**details: object) -> Fault:
    """Something was to be written where one may only read."""
    return refused(
        "இந்தத் தரவுத்தளத்தைப் படிக்க மட்டுமே முடியும்; எழுத முடியாது",
        "this database can only be read, and not written to",
        **details,
    )


def replaced(path: str) -> Fault:
    """Another file has the name of the one that was opened, or none has."""
    return unavailable(
        f"‘{path}’ கோப்பு நீக்கப்பட்டது அல்லது மாற்றப்பட்டது; இனி அந்த இடத்தில் உள்ளதே பயன்படும்",
        f"the file ‘{path}’ was removed or replaced; from now on it is the one in its place",
    )


def overtaken() -> Fault:
    """A transaction that has read wants to write, and somebody else has written in between."""
    return conflict(
        "இது படித்தபின் அது எழுதிவிட்டது; இதை மீட்டு மீண்டும் செய்யவும்",
        "it has written since this one has read; roll this one back and do it again",
    )
