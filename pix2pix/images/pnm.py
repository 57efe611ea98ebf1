"""PBM, PGM, PPM, PAM and PFM, by numpy: Pillow goes pixel by pixel where white is not 255.

White is the header's maxval. PFM holds linear light, 1 (or 255, 65,535, or the brightest value) is
white. Source: the Netpbm manual pages pbm(5), pgm(5), ppm(5), pam(5), pfm(5).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pix2pix.errors import Corrupt, Truncated, UnsupportedMode
from pix2pix.images import hdr, modes
from pix2pix.images.formats import Container
from pix2pix.images.metadata import texts

_MAX_HEADER = 2**16
_SPACE = rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])+"
_NUMBER = rb"([0-9]{1,10})"
_HEADERS = {
    kind: re.compile(rb"P." + (_SPACE + _NUMBER) * numbers + rb"(?:#[^\r\n]*)?[ \t\r\n\v\f]")
    for kind, numbers in {"1": 2, "2": 3, "3": 3, "4": 2, "5": 3, "6": 3}.items()
}
_FLOAT = rb"([-+]?(?:[0-9]{1,20}[.]?[0-9]{0,20}|[.][0-9]{1,20})(?:[eE][-+]?[0-9]{1,3})?)"
_HEADERS |= {
    kind: re.compile(rb"P." + (_SPACE + _NUMBER) * 2 + _SPACE + _FLOAT + rb"[ \t\r\n]")
    for kind in "fF"
}
_BEGUN = re.compile(rb"P.(?:[ \t\r\n\v\f0-9.+\-eE]|#[^\r\n]*(?:[\r\n]|\Z))*")
_PAM_LINES = re.compile(rb"P7[\r\n]+((?:[^\n]*\n)*?)ENDHDR[ \t]*\r?\n")
_CHANNELS = {"1": 1, "2": 1, "3": 3, "4": 1, "5": 1, "6": 3, "f": 1, "F": 3}
_TOO_LONG = re.compile(rb"[1-9][0-9]{5}")
_GAP = re.compile(rb"[ \t\r\n\v\f]")
_BLOCK = 2**20
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


@dataclass
class _Header:
    kind: str  # the character behind the P
    width: int
    height: int
    channels: int
    white: int
    start: int  # where the pixels begin
    scale: float = 0.0  # PFM's, negative for little-endian

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, the fewest characters in the plain kinds."""
        if self.kind == "4":
            return (self.width + 7) // 8
        size = {"f": 4, "F": 4, "1": 1, "2": 2, "3": 2}.get(self.kind, 1 + (self.white > 255))
        return self.width * self.channels * size

    @property
    def bytes(self) -> int:
        """The fewest bytes that the pixels take; the last number needs no space behind it."""
        return self.height * self.row_bytes - (self.kind in "23")


def inspect(data: bytes) -> Container:
    """Read the header. Raises Corrupt for an invalid one, UnsupportedMode beyond 4 channels."""
    head = _header(data)
    if head is None:
        return Container(cut=True, lossless=True)
    container = Container(size=(head.width, head.height), lossless=True, deep=head.white > 255)
    container.cut = len(data) - head.start < head.bytes
    if head.channels == 1 and head.white > 255:
        container.white = head.white
    if head.kind in "fF":
        container.warnings.append("float pixels become 8 bit")
    if head.kind in "14567" and not container.cut:
        container.frames = 1 + data.startswith(data[:2] + b"\n", head.start + head.bytes)
    return container


def decode(data: bytes, *, truncated: bool = False) -> Image.Image:
    """Decode the first picture: mode L, LA, RGB, RGBA, or I;16 with maxval for white.

    `truncated` fills what is missing with gray. Raises Truncated, Corrupt and InvalidPixels.
    """
    head = _header(data)
    if head is None:
        raise Truncated("the file ends inside the PNM header")
    body = memoryview(data)[head.start :]
    if len(body) < head.bytes:
        if not truncated or head.kind in "123":
            raise Truncated("the PNM ends early")
        body = memoryview(bytes(body) + b"\x80" * (head.bytes - len(body)))
    if head.kind in "123":
        values = _plain(head, bytes(body))
    elif head.kind == "4":
        rows = np.frombuffer(body, np.uint8, head.bytes).reshape(head.height, -1)
        values = 1 - np.unpackbits(rows, axis=1, count=head.width)  # 1 is black
    elif head.kind in "fF":
        return _from_light(head, body)
    else:
        dtype = np.dtype(">u2" if head.white > 255 else "u1")
        values = np.frombuffer(body, dtype, head.bytes // dtype.itemsize)
    return _picture(head, values.reshape(head.height, head.width, head.channels))


def comments(data: bytes) -> Iterator[texts.Text]:
    """Read the comments in the header of a PBM, PGM or PPM."""
    head = _header(data) if data[1:2] in b"123456" else None
    if head is not None:
        for found in re.findall(rb"#([^\r\n]*)", data[: head.start]):
            yield texts.comment(found.strip())


def _picture(head: _Header, values: np.ndarray) -> Image.Image:
    """(H, W, C) -> a PIL image; gray deeper than 8 bits stays so."""
    if head.channels == 1 and head.white > 255:
        return Image.fromarray(values[..., 0].astype(np.uint16))
    if head.white == 255:
        values = values.astype(np.uint8, copy=False)
    else:
        table = np.rint(np.arange(head.white + 1) * (255 / head.white)).astype(np.uint8)
        values = table[np.minimum(values, head.white)]
    height, width = values.shape[:2]
    return Image.frombuffer(
        _MODES[head.channels], (width, height), np.ascontiguousarray(values).tobytes()
    )


def _plain(head: _Header, body: bytes) -> np.ndarray:
    """The decimal numbers of P1 (where they need no spaces between them), P2 and P3."""
    if b"#" in body:
        body = re.sub(rb"#[^\r\n]*", b" ", body)
    values = np.empty(head.width * head.height * head.channels, np.uint16)
    start = filled = 0
    while start < len(body) and filled < len(values):
        stop = start + _BLOCK
        gap = _GAP.search(body, stop) if stop < len(body) else None
        stop = len(body) if gap is None else gap.start()
        found = (_bits if head.kind == "1" else _numbers)(body[start:stop], head.white)
        found = found[: len(values) - filled]
        values[filled : filled + len(found)] = found
        start, filled = stop, filled + len(found)
    if filled < len(values):
        raise Truncated("the PNM ends early")
    return values


def _bits(block: bytes, white: int) -> np.ndarray:
    digits = np.frombuffer(block.translate(None, b" \t\r\n\v\f"), np.uint8)
    if digits.size and (digits.min() < 48 or digits.max() > 49):
        raise Corrupt("a PBM with something besides 0 and 1")
    return 49 - digits  # 1 is black


def _numbers(block: bytes, white: int) -> np.ndarray:
    if block.translate(None, b"0123456789 \t\r\n\v\f"):
        raise Corrupt("a PNM with something besides numbers")
    if not block.strip():
        return np.empty(0, np.uint32)
    values = np.fromstring(block, np.uint32, sep=" ")
    if values.max() > white or _TOO_LONG.search(block):
        raise Corrupt(f"a PNM value above {white:,}")
    return values


def _from_light(head: _Header, body: memoryview) -> Image.Image:
    """PFM's floats, rows from the bottom up, to sRGB."""
    dtype = np.dtype("<f4" if head.scale < 0 else ">f4")
    light = np.frombuffer(body, dtype, head.bytes // 4)
    white = modes.white_of_floats(float(modes.extremes([light])[1]))
    rows = light.reshape(head.height, head.width, head.channels)[::-1]
    pixels = np.empty(rows.shape, np.uint8)
    for row in range(head.height):
        pixels[row] = hdr.encode(rows[row] / np.float32(white))
    return Image.fromarray(pixels[..., 0] if head.channels == 1 else pixels)


def _header(data: bytes) -> _Header | None:
    """The header, None where the file ends within. Raises Corrupt and UnsupportedMode."""
    kind = chr(data[1])
    start = data[:_MAX_HEADER]
    if kind == "7":
        return _pam(start)
    found = _HEADERS[kind].match(start)
    if found is None:
        if len(start) == _MAX_HEADER or not _BEGUN.fullmatch(start):
            raise Corrupt("no PNM header")
        return None
    width, height = int(found[1]), int(found[2])
    head = _Header(kind, width, height, _CHANNELS[kind], 1, found.end())
    if kind in "fF":
        head.scale = float(found[3])
        if not 0 < abs(head.scale) < float("inf"):
            raise Corrupt("a PFM without a scale")
    elif kind not in "14":
        head.white = int(found[3])
    return _checked(head)


def _pam(start: bytes) -> _Header | None:
    found = _PAM_LINES.match(start)
    if found is None:
        if len(start) == _MAX_HEADER:
            raise Corrupt("no PAM header")
        return None
    lines = [line.split() for line in found[1].splitlines() if not line.startswith(b"#")]
    stated = {line[0]: line[1] for line in lines if len(line) > 1 and line[1].isdigit()}
    try:
        names = (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")
        width, height, channels, white = (int(stated[name][:11]) for name in names)
    except KeyError as error:
        raise Corrupt("a PAM header that lacks a line") from error
    return _checked(_Header("7", width, height, channels, white, found.end()))


def _checked(head: _Header) -> _Header:
    if not 0 < head.white < 65536:
        raise Corrupt(f"a PNM whose white is {head.white:,}; 1 to 65,535 is possible")
    if head.channels not in _MODES:
        raise UnsupportedMode(f"a PAM of {head.channels:,} channels")
    return head
