"""IPTC-IIM and Photoshop's image resources: the captions of press photos and archives.

Source: IPTC-NAA Information Interchange Model 4.2; Adobe Photoshop File Formats Specification;
the mapping to XMP is that of the IPTC Photo Metadata Standard and the MWG guidelines 2.0.
"""

import struct
from dataclasses import dataclass

from pix2pix.images.bits import big

IPTC, COPYRIGHT_FLAG, URL, CAPTION, DIGEST = 0x0404, 0x040A, 0x040B, 0x03F0, 0x0425
KEPT = (CAPTION, IPTC, COPYRIGHT_FLAG, URL)
"""Resources that describe the photo; the others are editor state, or previews."""
_PATHS = range(2000, 2999)
_SIGNATURE = b"8BIM"
_MAX_BYTES = 60_000  # of all data sets: one JPEG segment
_MAX_DATA_SETS = 20_000
_MAX_RESOURCE = 4096  # a URL, a caption of 255 characters
_CHARSETS = {b"\x1b%G": "utf-8", b"\x1b.A": "latin-1", b"\x1b-A": "latin-1", b"\x1b%/I": "utf-8"}
_CHARSET = (1, 90)
_NOT_CP1252 = {0x81, 0x8D, 0x8F, 0x90, 0x9D}
# Previews, audio, and ImageType, which says that the photo is black and white.
_STALE = {(2, 130), *((2, n) for n in range(150, 155)), (2, 200), (2, 201), (2, 202)}


@dataclass(frozen=True)
class DataSet:
    """One data set, such as 2:120, and its bytes."""

    key: tuple[int, int]
    data: bytes


def data_sets(data: bytes) -> list[DataSet]:
    """Parse IPTC-IIM bytes -> the data sets, up to the first invalid one."""
    if data[:1] != b"\x1c" and data[3:4] == b"\x1c":  # written as 32-bit numbers, by some into TIFF
        data = b"".join(data[i : i + 4][::-1] for i in range(0, len(data), 4))
    found: list[DataSet] = []
    position = 0
    while data[position : position + 1] == b"\x1c" and len(found) < _MAX_DATA_SETS:
        head = data[position + 1 : position + 5]
        if len(head) < 4:
            break
        record, number, length = struct.unpack(">BBH", head)
        position += 5
        if length & 0x8000:  # the length of the length
            size = length & 0x7FFF
            length = int.from_bytes(data[position : position + size], "big")
            position += size
        if position + length > len(data):
            break
        found.append(DataSet((record, number), data[position : position + length]))
        position += length
    return found


def clean(data: bytes, *, warnings: list[str]) -> bytes | None:
    """Filter IPTC-IIM: keep the data sets that still hold; what is too long is named."""
    found = [r for r in data_sets(data) if r.key[0] in (1, 2) and r.key not in _STALE]
    if data.strip(b"\0") and not found:
        warnings.append("IPTC ignored: no record can be read")
    kept, size = [], 0
    for each in found:
        packed = _packed(each)
        if size + len(packed) <= _MAX_BYTES:
            kept.append(packed)
            size += len(packed)
    if len(kept) < len(found):
        warnings.append(f"{len(found) - len(kept):,} of {len(found):,} IPTC records not kept")
    return b"".join(kept) or None


def _packed(each: DataSet) -> bytes:
    length = len(each.data)
    if length < 0x8000:
        return struct.pack(">BBBH", 0x1C, *each.key, length) + each.data
    return struct.pack(">BBBHI", 0x1C, *each.key, 0x8004, length) + each.data


def texts(data: bytes) -> dict[tuple[int, int], list[str]]:
    """Decode the text of every data set of record 2, in the character set that 1:90 names.

    Without a name: UTF-8 where it fits, else Windows Latin.
    """
    found = data_sets(data)
    charset = next((_CHARSETS.get(r.data) for r in found if r.key == _CHARSET), None)
    result: dict[tuple[int, int], list[str]] = {}
    for each in found:
        if each.key[0] == 2 and each.key[1] != 0:  # 2:00 is the version
            result.setdefault(each.key, []).append(decode_text(each.data, charset))
    return result


def decode_text(data: bytes, charset: str | None = None) -> str:
    """Decode text of an uncertain character set: UTF-8 where it fits, else Windows Latin."""
    data = data.rstrip(b"\0")
    if charset == "latin-1":
        return data.decode("latin-1")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1" if set(data) & _NOT_CP1252 else "cp1252")


def resources(data: bytes, *, warnings: list[str]) -> dict[int, bytes]:
    """Parse Photoshop's image resource blocks -> those of KEPT, the first of each."""
    found: dict[int, bytes] = {}
    position, paths = 0, 0
    while data[position : position + 4] in (_SIGNATURE, b"PHUT", b"DCSR", b"AgHg", b"MeSa"):
        number = big(data, position + 4, 2)
        position += 6 + (big(data, position + 6, 1) + 2 & ~1)  # a name, padded to an even length
        size = big(data, position, 4)
        content = data[position + 4 : position + 4 + size]
        if len(content) < size:
            break
        position += 4 + size + (size & 1)
        paths += number in _PATHS
        if number in KEPT and content and (number == IPTC or len(content) <= _MAX_RESOURCE):
            found.setdefault(number, content)
    if paths:
        warnings.append(f"{paths:,} Photoshop path{'s' * (paths > 1)} not kept")
    return found


def to_resources(found: dict[int, bytes]) -> bytes:
    """Serialize image resource blocks, as JPEG's APP13 and TIFF's tag 34377 carry them."""
    blocks = []
    for number, content in sorted(found.items()):
        head = _SIGNATURE + struct.pack(">HHI", number, 0, len(content))
        blocks.append(head + content + bytes(len(content) & 1))
    return b"".join(blocks)
