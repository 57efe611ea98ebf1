"""Read metadata: EXIF, XMP, IPTC, comments and text, from every place in a file."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from pix2pix.errors import one_line
from pix2pix.images import gif, png, pnm
from pix2pix.images.metadata import exif, exif_kept, iptc, items, segments, texts, xmp
from pix2pix.images.metadata.exif import EXIF_IFD, GPS_IFD, Block
from pix2pix.images.metadata.texts import Text

DIRECTORIES = (EXIF_IFD, GPS_IFD)
_ORIENTATION, _XMP_TAG, _IPTC_TAG, _PHOTOSHOP_TAG = 0x0112, 700, 33723, 34377
TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientation -> what turns a picture upright."""
_WIDE_TAGS = (_XMP_TAG, _IPTC_TAG, _PHOTOSHOP_TAG)
_RAW_EXIF = ("raw profile type exif", "raw profile type app1")
_RAW_IPTC = ("raw profile type iptc", "raw profile type 8bim")


@dataclass
class Said:
    """The metadata of a file, cleaned; see the fields of `reading.Photo`."""

    exif: bytes | None = None
    xmp: bytes | None = None
    resources: dict[int, bytes] = field(default_factory=dict)
    texts: list[Text] = field(default_factory=list)


def orientation(exif: Image.Exif) -> int:
    """Read the EXIF orientation, 1 to 8; anything else counts as 1, upright."""
    value = exif.get(_ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def resolution(info: dict[Any, Any]) -> tuple[float, float] | None:
    """Read the resolution in dots per inch, None where it is not plausible."""
    try:
        x, y = (float(value) for value in info["dpi"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    # 1 is what Pillow says when a TIFF states nothing.
    return (x, y) if 1 < x < 65536 and 1 < y < 65536 else None


def gather(
    info: dict[Any, Any], name: str, data: bytes, *, page: int = 0, warnings: list[str]
) -> Said:
    """Read all metadata of a file of format `name`; `info` is what Pillow found in it.

    In a TIFF `page` is where the picture's directory is, if it is not the first one.
    Whatever is wrong with it becomes a warning: the photo is worth more.
    """
    try:
        return _gather(info, name, data, page, warnings)
    except MemoryError:
        raise
    except Exception as error:
        warnings.append(f"metadata ignored: {one_line(error)}")
        return Said()


def _gather(info: dict[Any, Any], name: str, data: bytes, page: int, warnings: list[str]) -> Said:
    said = Said(xmp=_packet(info))
    packed = info.get("exif")
    block = _block(packed if isinstance(packed, bytes) else None, warnings)
    found: Iterable[Text] = ()
    if name == "JPEG":
        parts = segments.collect(data, warnings=warnings)
        said.xmp = _whole(parts, said.xmp, warnings)
        said.resources = iptc.resources(parts.photoshop, warnings=warnings)
        found = map(texts.comment, parts.comments)
    elif name == "PNG":
        found = texts.png_texts(png.text_chunks(data))
    elif name == "GIF":
        found = gif.comments(data)
    elif name == "TIFF":
        block = _from_tiff(page, data, said, warnings)
    elif data[4:8] in (b"ftyp", b"jP  "):
        block = _from_boxes(data, said, warnings) or block
    elif data[:1] == b"P":
        found = pnm.comments(data)
    comment = info.get("comment")
    if name not in ("JPEG", "GIF") and isinstance(comment, bytes) and comment:
        found = [*found, texts.comment(comment)]
    profiles: list[bytes] = []
    said.texts = texts.sift(_diverted(found, said, profiles, warnings), warnings=warnings)
    for profile in profiles[:1]:
        block = block or _block(profile, warnings)
    if iptc.IPTC in said.resources:
        records = iptc.clean(said.resources.pop(iptc.IPTC), warnings=warnings)
        said.resources |= {iptc.IPTC: records} if records else {}
    said.exif = None if block is None else exif_kept.clean(block, warnings=warnings)
    return said


def _packet(info: dict[Any, Any]) -> bytes | None:
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp")
    if isinstance(packet, str):
        packet = packet.encode(errors="replace")
    return packet if isinstance(packet, bytes) else None


def _whole(parts: segments.Segments, packet: bytes | None, warnings: list[str]) -> bytes | None:
    """A JPEG's packet, joined with its extension."""
    packet = parts.xmp or packet
    if not parts.extension or packet is None:
        return packet
    try:
        whole = xmp.Packet(packet)
        whole.merge(xmp.Packet(parts.extension))
        return whole.to_bytes()
    except xmp.ERRORS as error:
        warnings.append(f"extended XMP ignored: {error}")
        return packet


def _from_tiff(page: int, data: bytes, said: Said, warnings: list[str]) -> Block | None:
    """The entries of the picture's directory, and for what it lacks those of the first one."""
    blocks = []
    for first in [page, None] if page else [None]:
        with contextlib.suppress(ValueError):
            blocks.append(exif.parse(data, first=first))
    if not blocks:
        return None
    block = blocks[0]
    for other in blocks[1:]:
        block.main = other.main | block.main
        block.details = other.details | block.details
        block.gps = block.gps or other.gps
    tags = {tag: block.main.pop(tag).data for tag in _WIDE_TAGS if tag in block.main}
    said.xmp = tags.get(_XMP_TAG, said.xmp)
    said.resources = iptc.resources(tags.get(_PHOTOSHOP_TAG, b""), warnings=warnings)
    if tags.get(_IPTC_TAG, b"").strip(b"\0"):
        said.resources[iptc.IPTC] = tags[_IPTC_TAG]
    return block


def _from_boxes(data: bytes, said: Said, warnings: list[str]) -> Block | None:
    there = items.collect(data)
    said.xmp = there.get("xmp", said.xmp)
    if "iptc" in there:
        said.resources[iptc.IPTC] = there["iptc"]
    return _block(there.get("exif"), warnings)


def _diverted(
    found: Iterable[Text], said: Said, profiles: list[bytes], warnings: list[str]
) -> Iterator[Text]:
    """Texts but those that are XMP, EXIF or IPTC in disguise, which go where they belong."""
    for text in found:
        keyword = text.keyword.lower()
        if keyword == texts.XMP_KEYWORD.lower():
            said.xmp = text.value
        elif not keyword.startswith("raw profile type "):
            yield text
        elif content := texts.profile(text.value):
            is_xmp = content.startswith(segments.XMP_HEAD)
            if is_xmp or keyword == "raw profile type xmp":
                said.xmp = said.xmp or content.removeprefix(segments.XMP_HEAD)
            elif keyword in _RAW_EXIF:
                profiles.append(content)
            elif keyword in _RAW_IPTC:
                inside = iptc.resources(content, warnings=warnings) or {iptc.IPTC: content}
                said.resources = inside | said.resources


def _block(data: bytes | None, warnings: list[str]) -> Block | None:
    if not data or data == exif.HEAD:
        return None
    try:
        return exif.parse(data)
    except ValueError as error:
        if not any("EXIF" in warning for warning in warnings):
            warnings.append(f"EXIF ignored: {error}")
        return None
