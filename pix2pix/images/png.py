"""PNG before decoding: checksums, frames, depth, and a copy without anything but the picture.

Source: PNG specification, third edition (W3C 2025), which includes APNG.
"""

import struct
import zlib
from collections.abc import Iterator

from pix2pix.errors import Corrupt, UnsupportedFormat, UnsupportedMode
from pix2pix.images.bits import big
from pix2pix.images.coding import Coding, from_code_points, from_gamma
from pix2pix.images.formats import Container

_COLOR = {b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"}
_MAX_CHUNKS = 200_000
_MAX_EXTRAS = 10_000
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_ESSENTIAL = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"pHYs", b"eXIf"}


def inspect(data: bytes) -> Container:
    """Read all chunks. Raises Corrupt for a bad CRC, which Pillow does not check in IDAT."""
    container = Container(cut=True, lossless=True)
    extras, frames, first_is_frame, pixels = 0, 1, False, False
    colors: dict[bytes, bytes] = {}
    for number, (kind, start, end) in enumerate(chunks(data)):
        if number > _MAX_CHUNKS:
            raise Corrupt(f"more than {_MAX_CHUNKS:,} PNG chunks")
        if kind == b"CgBI":
            raise UnsupportedFormat("an Xcode-optimized PNG (CgBI), which only Apple's tools read")
        if kind[0] & 0x20 == 0:  # a capital: critical
            if zlib.crc32(data[start - 4 : end]) != big(data, end, 4):
                raise Corrupt(f"bad checksum in the PNG chunk {kind.decode('latin-1')!r}")
        else:
            extras += 1
        if kind == b"IHDR" and end - start >= 13:
            if container.size is not None:
                raise Corrupt("two PNG headers")
            container.size = big(data, start, 4), big(data, start + 4, 4)
            container.deep = data[start + 8] == 16
        elif kind in _COLOR and not pixels:
            colors.setdefault(kind, data[start:end])
        elif kind == b"acTL":
            frames = big(data, start, 4)
        elif kind == b"fcTL":
            first_is_frame |= not pixels
        elif kind == b"IDAT":
            pixels = True
        elif kind == b"IEND":
            container.cut = False
        if extras > _MAX_EXTRAS and not pixels:
            raise Corrupt(f"more than {_MAX_EXTRAS:,} PNG chunks before the picture")
    container.frames = max(1, frames + (frames > 1 and not first_is_frame))
    container.coding = _coding(colors)
    return container


def _coding(chunks: dict[bytes, bytes]) -> Coding | None:
    """By the order of precedence of the specification: cICP, iCCP, sRGB, then gAMA and cHRM.

    Raises UnsupportedMode for values in the narrow range of video.
    """
    stated = chunks.get(b"cICP", b"")
    if len(stated) == 4:
        if stated[3] == 0:
            raise UnsupportedMode("PNG values in the narrow range of video")
        # sRGB is said, too, where a profile says otherwise.
        return from_code_points(stated[0], stated[1]) or (Coding() if b"iCCP" in chunks else None)
    if b"iCCP" in chunks or b"sRGB" in chunks:
        return None
    gamma, primaries = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    exponent = big(gamma, 0, 4) if len(gamma) == 4 else 0
    numbers = [n / 100_000 for n in struct.unpack(">8I", primaries)] if len(primaries) == 32 else []
    return from_gamma(
        100_000 / exponent if exponent else None,
        (*numbers[2:], *numbers[:2]) or None,  # white comes first there
    )


def closed(data: bytes) -> bytes | None:
    """Append the missing IEND behind the last whole chunk; None without pixels."""
    end, pixels = 0, False
    for kind, _, stop in chunks(data):
        end, pixels = stop + 4, pixels or kind == b"IDAT"
    return data[:end] + b"\0\0\0\0IEND\xaeB`\x82" if pixels else None


def essential(data: bytes) -> bytes:
    """Strip text, profile, animation and private chunks."""
    kept = [data[start - 8 : end + 4] for kind, start, end in chunks(data) if kind in _ESSENTIAL]
    return data[:8] + b"".join(kept)


def text_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Iterate over the text chunks as (type, content)."""
    for kind, start, end in chunks(data):
        if kind in _TEXT:
            yield kind, data[start:end]


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Iterate over the whole chunks, up to IEND, as (type, start, end of the content)."""
    position = 8
    while position + 12 <= len(data):
        end = position + 8 + big(data, position, 4)
        if end + 4 > len(data):
            return
        kind = data[position + 4 : position + 8]
        if kind == bytes(4):  # zeros of a file that was never filled
            return
        yield kind, position + 8, end
        if kind == b"IEND":
            return
        position = end + 4
