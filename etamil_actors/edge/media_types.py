"""What a file is, told by its name: the content type that is sent with it.

The types of the web are in the table below, so that they are the same on every machine. Other endings are
looked up in Python's ``mimetypes``, which reads the tables of the system when it is first asked. The content
is never looked at, and browsers are told not to guess either (``nosniff``): an unknown file is plain bytes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

UNKNOWN: Final = "application/octet-stream"

TYPES: Final = {
    # pages and what they are made of
    "html": "text/html", "htm": "text/html", "xhtml": "application/xhtml+xml", "css": "text/css",
    "js": "text/javascript", "mjs": "text/javascript", "json": "application/json",
    "map": "application/json", "jsonld": "application/ld+json", "geojson": "application/geo+json",
    "webmanifest": "application/manifest+json", "wasm": "application/wasm",
    "xml": "application/xml", "rss": "application/rss+xml", "atom": "application/atom+xml",
    # texts
    "txt": "text/plain", "md": "text/markdown", "csv": "text/csv", "tsv": "text/tab-separated-values",
    "ics": "text/calendar", "vtt": "text/vtt", "yaml": "application/yaml", "yml": "application/yaml",
    "toml": "application/toml", "qmz": "text/plain", "log": "text/plain",
    # pictures
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "svg": "image/svg+xml",
    "webp": "image/webp", "avif": "image/avif", "ico": "image/x-icon", "bmp": "image/bmp", "jxl": "image/jxl",
    # letters
    "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf",
    "ttc": "font/collection",
    # sound and film
    "mp3": "audio/mpeg", "m4a": "audio/mp4", "ogg": "audio/ogg", "opus": "audio/ogg", "wav": "audio/wav",
    "flac": "audio/flac", "mp4": "video/mp4", "webm": "video/webm", "mov": "video/quicktime",
    # documents and archives; what is packed is a file of its own, not a coding of another
    "pdf": "application/pdf", "zip": "application/zip", "gz": "application/gzip", "tgz": "application/gzip",
    "bz2": "application/x-bzip2", "xz": "application/x-xz", "zst": "application/zstd", "br": UNKNOWN,
    "tar": "application/x-tar", "7z": "application/x-7z-compressed", "epub": "application/epub+zip",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "odt": "application/vnd.oasis.opendocument.text", "ods": "application/vnd.oasis.opendocument.spreadsheet",
}  # fmt: skip
assert all(ending == ending.lower() for ending in TYPES)

_TEXTS: Final = frozenset({
    "application/javascript", "application/json", "application/ecmascript", "application/xml",
    "application/yaml", "application/toml", "application/x-javascript", "application/x-www-form-urlencoded",
    "application/graphql", "application/sql", "application/x-sh", "application/x-ndjson",
})  # fmt: skip
_DENSE_NO_MORE: Final = frozenset({
    "application/wasm", "font/ttf", "font/otf", "font/collection", "image/bmp", "image/x-icon",
    "application/x-tar", "application/vnd.ms-fontobject",
})  # fmt: skip
"""Not texts, yet they become clearly smaller."""


def media_type(name: str) -> str:
    """The content type of a file of that name; texts with ``charset=utf-8``. May read files of the system."""
    _, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 16:
        return UNKNOWN
    return _of_ending(ending.lower())


@lru_cache(maxsize=512)
def _of_ending(ending: str) -> str:
    kind = TYPES.get(ending)
    if kind is None:
        import mimetypes

        guess, coding = mimetypes.guess_type(f"x.{ending}", strict=False)
        kind = guess if guess is not None and coding is None and guess.isascii() else UNKNOWN
    return f"{kind}; charset=utf-8" if _needs_charset(kind) else kind


def essence(kind: str) -> str:
    """A content type without its parameters, in lower case."""
    return kind.partition(";")[0].strip().lower()


def is_compressible(kind: str) -> bool:
    """Is it worth while to compress a body of this content type?"""
    plain = essence(kind)
    # Events are sent one by one; a compressor would hold them back.
    return plain != "text/event-stream" and (_is_text(plain) or plain in _DENSE_NO_MORE)


def _is_text(plain: str) -> bool:
    return plain.startswith("text/") or plain in _TEXTS or plain.endswith(("+xml", "+json", "+yaml"))


def _needs_charset(kind: str) -> bool:
    # JSON is UTF-8 by its definition and XML says it inside; both know no parameter of that name.
    return kind.startswith("text/")
