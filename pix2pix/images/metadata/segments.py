"""JPEG's segments of metadata: XMP and its extension, Photoshop's resources, comments.

Source: ITU-T T.81, B.1; Adobe XMP Specification, part 3, 1.1.3.
"""

import hashlib
import struct
from dataclasses import dataclass, field

from pix2pix.images import jpeg
from pix2pix.images.metadata.xmp import MAX_BYTES

XMP_LIMIT = 65_000  # [bytes] of a packet in one segment; the standard's 65,502 with some room
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_APP1, _APP13, _COM, _SCAN, _END = 0xE1, 0xED, 0xFE, 0xDA, 0xD9
_PIECE = 65_000


@dataclass
class Segments:
    """The metadata in the segments before the picture."""

    xmp: bytes | None = None
    extension: bytes = b""
    photoshop: bytes = b""  # image resource blocks, of all segments
    comments: list[bytes] = field(default_factory=list)


def collect(data: bytes, *, warnings: list[str]) -> Segments:
    """Extract the metadata of a JPEG; an incomplete XMP extension is a warning."""
    found = Segments()
    photoshop = bytearray()
    pieces: dict[bytes, list[tuple[int, int, bytes]]] = {}
    for marker, start, end in jpeg.segments(data):
        if marker in (_SCAN, _END):
            break
        content = data[start:end]
        if marker == _COM and start <= end:
            found.comments.append(content)
        elif marker == _APP13 and content.startswith(_PHOTOSHOP):
            photoshop += content[len(_PHOTOSHOP) :]
        elif marker == _APP1 and content.startswith(XMP_HEAD):
            found.xmp = found.xmp or content[len(XMP_HEAD) :]
        elif marker == _APP1 and content.startswith(_EXTENSION):
            head = len(_EXTENSION)
            guid, numbers = content[head : head + 32], content[head + 32 : head + 40]
            if len(numbers) == 8:
                whole, offset = struct.unpack(">II", numbers)
                pieces.setdefault(guid, []).append((offset, whole, content[head + 40 :]))
    found.photoshop = bytes(photoshop)
    wanted = [guid for guid in pieces if guid in (found.xmp or b"")]
    for guid in wanted[:1]:
        found.extension = _joined(pieces[guid])
    if pieces and not found.extension:
        warnings.append("extended XMP ignored: not whole, or not that of this packet")
    return found


def _joined(pieces: list[tuple[int, int, bytes]]) -> bytes:
    data = bytearray()
    for offset, whole, content in sorted(pieces, key=lambda piece: piece[0]):
        if whole > MAX_BYTES or offset > len(data):
            return b""
        data[offset:] = content
    return bytes(data) if len(data) == pieces[0][1] else b""


def build(
    *, xmp: bytes, extension: bytes = b"", resources: bytes = b"", comments: list[bytes]
) -> bytes:
    """Serialize metadata as JPEG segments; what does not fit into one is split."""
    parts = [_segment(_APP1, XMP_HEAD + xmp)]
    guid = hashlib.md5(extension, usedforsecurity=False).hexdigest().upper().encode()
    for offset in range(0, len(extension), _PIECE):
        head = _EXTENSION + guid + struct.pack(">II", len(extension), offset)
        parts.append(_segment(_APP1, head + extension[offset : offset + _PIECE]))
    for offset in range(0, len(resources), _PIECE):
        parts.append(_segment(_APP13, _PHOTOSHOP + resources[offset : offset + _PIECE]))
    parts += [
        _segment(_COM, comment[offset : offset + _PIECE])
        for comment in comments
        for offset in range(0, max(1, len(comment)), _PIECE)
    ]
    return b"".join(parts)


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content
