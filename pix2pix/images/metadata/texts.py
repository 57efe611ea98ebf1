"""Text beside the picture: comments of JPEG, GIF, PNM and JPEG 2000, and the keywords of PNG.

Within limits: a text that inflates past them, is binary, or is active content (scripts, documents)
is dropped with a warning. Source: PNG specification, third edition, 11.3.3.
"""

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pix2pix.images.metadata import iptc, xmp

COMMENT = "Comment"
XMP_KEYWORD = "XML:com.adobe.xmp"
MAX_TEXT = 2**20
_UNREADABLE = b"\0?"
_MAX_INFLATED = 48 * 2**20
_MAX_TOTAL = 4 * 2**20
_MAX_TEXTS = 1000
_MAX_TRIED = 10_000
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
# A picture must not double as a page, a script or a document; no caption needs these.
_ACTIVE = re.compile(
    rb"<\s*(script|html|body|iframe|svg|object|embed|!doctype|\?php|\?=|%)|%PDF-|PK\x03\x04|#!/",
    re.I,
)
_PLACE = re.compile("gps|latitude|longitude|geo(tag|ref|:|$)", re.I)


@dataclass(frozen=True)
class Text:
    """A comment or keyword text, its bytes as they came."""

    keyword: str  # `Comment` where the format has none
    value: bytes
    kind: str  # where it stood: tEXt, zTXt, iTXt, or COM for a comment
    language: bytes = b""
    translated: bytes = b""  # the keyword in that language, UTF-8

    @property
    def text(self) -> str:
        """The value, decoded."""
        return iptc.decode_text(self.value)

    @property
    def of_place(self) -> bool:
        """Whether the keyword is one of a position on the earth."""
        return _PLACE.search(self.keyword) is not None


def sift(texts: Iterable[Text], *, warnings: list[str]) -> list[Text]:
    """Keep the texts that are text and within the limits; the others become warnings."""
    kept: list[Text] = []
    total = lost = 0
    for number, text in enumerate(texts):
        if number >= _MAX_TRIED:
            lost += 1
            break
        reason = _refusal(text)
        size = len(text.value) + len(text.keyword)
        if reason is None and (len(kept) >= _MAX_TEXTS or total + size > _MAX_TOTAL):
            lost += 1
        elif reason is None:
            kept.append(text)
            total += size
        elif len(warnings) < 100:
            warnings.append(f"{_label(text)} not kept: {reason}")
        else:
            lost += 1
    if lost:
        warnings.append(f"{lost:,} or more further texts not kept")
    return kept


def _label(text: Text) -> str:
    if text.kind == "COM":
        return "a comment"
    return f"PNG text {_CONTROL.sub('', text.keyword)[:79]!r}"


def _refusal(text: Text) -> str | None:
    if len(text.value) > MAX_TEXT:
        return f"more than {MAX_TEXT:,} bytes"
    if _ACTIVE.search(text.value) or _ACTIVE.search(text.keyword.encode("latin-1", "replace")):
        return "it is a program or a document"
    if _CONTROL.search(text.text):
        return "it is no text, or too long a one"
    return None


def comment(value: bytes) -> Text:
    """Make a text of a comment without keyword."""
    return Text(COMMENT, value.rstrip(b"\0"), "COM")


def png_texts(chunks: Iterable[tuple[bytes, bytes]]) -> Iterator[Text]:
    """Decode tEXt, zTXt and iTXt chunks (type, content); what cannot be inflated is no text.

    No more is inflated than the limits allow.
    """
    room = _MAX_INFLATED
    for kind, chunk in chunks:
        keyword, _, rest = chunk.partition(b"\0")
        name = keyword.decode("latin-1")
        language = translated = b""
        packed = kind == b"zTXt"
        value = rest[1:] if packed else rest
        if kind == b"iTXt":
            language, _, after = rest[2:].partition(b"\0")
            translated, _, value = after.partition(b"\0")
            packed = rest[:1] == b"\1"
        if packed:
            most = min(room, xmp.MAX_BYTES if name == XMP_KEYWORD else MAX_TEXT)
            inflated = _inflated(value, most)
            room -= most if inflated is None else len(inflated)
            value = _UNREADABLE if inflated is None else inflated
        yield Text(name, value.rstrip(b"\0"), kind.decode("latin-1"), language, translated)


def _inflated(data: bytes, most: int) -> bytes | None:
    try:
        value = zlib.decompressobj().decompress(data, most + 1)
    except zlib.error:
        return None
    return value if len(value) <= most else None


def png_chunk(text: Text) -> tuple[bytes, bytes]:
    """Encode a text as a PNG chunk (type, content): of the kind it came in, or the simplest."""
    keyword = text.keyword.encode("latin-1", "replace")[:79]
    if text.kind == "tEXt" or (text.kind == "COM" and text.value.isascii()):
        return b"tEXt", keyword + b"\0" + text.value
    if text.kind == "zTXt":
        return b"zTXt", keyword + b"\0\0" + zlib.compress(text.value)
    value = text.value if text.kind == "iTXt" else text.text.encode()
    return b"iTXt", b"\0".join([keyword, b"\0", text.language, text.translated, value])


def profile(value: bytes) -> bytes:
    r"""A `Raw profile type`, hexadecimal behind "\nname\n  length\n" -> its bytes, or nothing."""
    lines = value.strip().split(b"\n", 2)
    try:
        return bytes.fromhex(lines[2].decode("ascii")) if len(lines) == 3 else b""
    except ValueError:
        return b""
