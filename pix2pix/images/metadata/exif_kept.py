"""EXIF of a copy: which tags are kept, and which values change."""

import struct

from PIL import ExifTags

from pix2pix.images.metadata import exif, exif_write

_ORIENTATION = 0x0112
_PIXEL_WIDTH, _PIXEL_HEIGHT, _COLOR_SPACE, _COMPONENTS = 0xA002, 0xA003, 0xA001, 0x9101
_UNIT, _RESOLUTIONS = 296, (282, 283)
# Descriptions of the photo. Tags that describe the old file (strips, photometry) stay behind.
_KEPT = frozenset(
    [269, 270, 271, 272, 282, 283, 285, 296, 305, 306, 315, 316, 18246, 18249, 33432]
    + [40091, 40092, 40093, 40094, 40095, 33434, 33437, 34850, 34852, 34855, 37510]
    + [*range(36864, 36868), *range(36880, 36883), *range(37377, 37397), *range(37520, 37523)]
    + [*range(41483, 41496), *range(41985, 41997), *range(42016, 42041)]
)
# Texts of the old file: names of inks, parameters of the map projection.
_STALE_TEXT = frozenset([333, 34737, 42112, 42113])
# Pointers, the compression and the transfer curve of the old file.
_STALE_DETAILS = frozenset([exif.EXIF_IFD, exif.GPS_IFD, 0xA005, 0x014A, 0x9102, 0xA500])
_MAX_EXIF = 32 * 1024
_MAX_WARNINGS = 100


def clean(block: exif.Block, *, warnings: list[str]) -> bytes | None:
    """Filter EXIF -> bytes to keep: descriptions, Exif and GPS; no thumbnail, orientation 1."""
    if block.damaged and not any("EXIF" in warning for warning in warnings):
        warnings.append("EXIF damaged: some of it ignored")
    block.main = {tag: e for tag, e in block.main.items() if _is_kept(tag, e)}
    block.details = {t: e for t, e in block.details.items() if t not in _STALE_DETAILS}
    if _COLOR_SPACE in block.details:
        block.details[_COLOR_SPACE] = block.short(1)  # sRGB, since the pixels are
    _check_resolution(block, warnings)
    if not (block.main or block.details or block.gps):
        return None
    block.main[_ORIENTATION] = block.short(1)
    _shorten(block, warnings)
    return exif_write.to_bytes(block)


def _is_kept(tag: int, entry: exif.Entry) -> bool:
    """Known descriptions, and any other text, which can only be one."""
    text = entry.kind in (exif.ASCII, 129) and tag > 263
    return tag in _KEPT or (text and tag not in _STALE_TEXT | _STALE_DETAILS)


def _check_resolution(block: exif.Block, warnings: list[str]) -> None:
    """Resolution only as readers take it: a fraction, in no unit, inches or centimeters."""
    unit = block.main.get(_UNIT)
    if unit is not None:
        number = int.from_bytes(unit.data[:2], "little" if block.order == "<" else "big")
        stated = number if unit.kind == exif.SHORT else 0
        if stated not in (1, 2, 3):
            warnings.append(f"EXIF ResolutionUnit {number} ignored: 1, 2 and 3 are known")
            del block.main[_UNIT]
    for tag in _RESOLUTIONS:
        entry = block.main.get(tag)
        if entry is not None and not (
            entry.kind == exif.RATIONAL
            and len(entry.data) == 8
            and struct.unpack(block.order + "II", entry.data)[1]
        ):
            del block.main[tag]


def _shorten(block: exif.Block, warnings: list[str]) -> None:
    """Leave out the maker's note, then the longest values, until the block is short enough."""
    places = [
        (tag == exif.MAKER_NOTE, len(entry.data), tag, directory)
        for directory in (block.main, block.details, block.gps)
        for tag, entry in directory.items()
    ]
    over = len(exif_write.to_bytes(block)) - _MAX_EXIF
    for _, size, tag, directory in sorted(places, key=lambda place: place[:3], reverse=True):
        if over <= 0:
            break
        del directory[tag]
        over -= 12 + (size if size > 4 else 0)
        if len(warnings) < _MAX_WARNINGS:
            name = ExifTags.TAGS.get(tag, f"tag {tag}")
            warnings.append(f"EXIF {name} not kept: {size:,} bytes")


def final(
    data: bytes | None, *, size: tuple[int, int], name: str, keep_gps: bool
) -> exif.Block | None:
    """Update EXIF for the output: its own width and height, GPS only if asked for."""
    if not data:
        return None
    block = exif.parse(data)
    if not keep_gps:
        block.gps = {}
    for tag, value in zip((_PIXEL_WIDTH, _PIXEL_HEIGHT), size, strict=True):
        if tag in block.details:
            block.details[tag] = block.long(value)
    if name == "JPEG" and _COMPONENTS in block.details:
        block.details[_COMPONENTS] = exif.Entry(7, b"\1\2\3\0")  # Y, Cb, Cr
    else:
        block.details.pop(_COMPONENTS, None)
    return block
