"""Why a journal does not open, its file left as it was; and what programs hear of an open one that fails."""

from __future__ import annotations

from etamil_actors.errors import EtamilError, Fault


class JournalError(EtamilError):
    """The journal cannot be used; the text says what to do."""

    def __init__(self, path: str, tamil: str, english: str) -> None:
        super().__init__(f"‘{path}’: {tamil}  (‘{path}’: {english})")
        self.path = path
        self.tamil = tamil
        self.english = english


class JournalBusyError(JournalError):
    """Another process, or another service tree of this one, has the journal open."""

    def __init__(self, path: str, process: str) -> None:
        super().__init__(
            path,
            f"இந்தப் பதிவேட்டை வேறொரு செயல்முறை ({process or '?'}) பயன்படுத்துகிறது; அதை நிறுத்திய பின் தொடங்கவும்,"
            " அல்லது வேறு கோப்பைக் குறிப்பிடவும்",
            f"this journal is in use by another process ({process or '?'}); stop that one first, or name"
            " another file",
        )


class JournalForeignError(JournalError):
    """The file is something else than a journal of ours."""

    def __init__(self, path: str) -> None:
        super().__init__(
            path,
            "இது எங்கள் பதிவேட்டுக் கோப்பு அல்ல; அதை மாற்றவில்லை. வேறு கோப்பைக் குறிப்பிடவும், அல்லது இதை"
            " வேறிடத்துக்கு நகர்த்தவும்",
            "this file is not a journal of etamil-actors, and it was left as it is; name another file, or"
            " move this one away",
        )


class JournalVersionError(JournalError):
    """A newer version of us has written the file."""

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(
            path,
            f"இந்தப் பதிவேடு புதிய வடிவத்தில் ({found}) உள்ளது; இங்கே {known} வரை மட்டுமே தெரியும். அதை மாற்றவில்லை."
            " etamil-actors-ஐப் புதுப்பிக்கவும்",
            f"this journal has the newer format {found}, and only formats up to {known} are known here; it"
            " was left as it is. Please update etamil-actors",
        )


class JournalCorruptError(JournalError):
    """The file is damaged."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            path,
            f"இந்தப் பதிவேடு சேதமடைந்துள்ளது ({problem}); அதை மாற்றவில்லை. காப்பு நகலிலிருந்து மீட்கவும், அல்லது"
            f" ‘sqlite3 '{path}' .recover’ மூலம் மீட்டெடுக்கவும், அல்லது இதை நகர்த்திவிட்டுப் புதிதாகத் தொடங்கவும்",
            f"this journal is damaged ({problem}), and it was left as it is; restore it from a backup, rescue"
            f" it with ‘sqlite3 '{path}' .recover’, or move it away (with its -wal) to begin a new one",
        )


class JournalUnavailableError(JournalError):
    """The world does not let us open or make the file: a folder, a permission, a full disk."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            path,
            f"பதிவேட்டைத் திறக்க முடியவில்லை ({problem}); கோப்புறை, அனுமதி, வட்டில் இடம் ஆகியவற்றைச் சரிபார்க்கவும்",
            f"the journal cannot be opened ({problem}); please check the folder, the permissions and the room"
            " on the disk",
        )


def unavailable(failure: Exception) -> Fault:
    """The program's error for what the disk said."""
    if isinstance(failure, Fault):
        return failure
    return Fault("channel.unavailable", problem=str(failure))
