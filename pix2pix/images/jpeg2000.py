"""JPEG 2000 before decoding: size, depth, color, metadata, and what a decoder would choke on.

OpenJPEG makes a structure for each tile, precinct and code block before it reads the first bit of
them, so that a file of a few hundred bytes could take gigabytes. Source: ISO/IEC 15444-1, annexes
A and I; 15444-2, M.11 for the boxes of JPX.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image

from pix2pix.errors import Corrupt, TooLarge, UnsupportedMode
from pix2pix.images.bits import big
from pix2pix.images.coding import from_code_points
from pix2pix.images.formats import Container
from pix2pix.images.iso.boxes import boxes

_START = b"\xff\x4f\xff\x51"
_SIZ, _COD, _COC, _SOT, _SOD, _END = 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93, 0xFFD9
# EnumCS: two levels, sRGB, gray, sYCC, CMYK
_COLOR_SPACES = {0, 12, 15, 16, 17, 18}
# An empty picture takes a bit for 4,096 pixels; none that shows something is so small.
_FREE_SAMPLES, _SAMPLES_A_BYTE = 2**21, 4_000
_FREE_PARTS, _SAMPLES_A_PART = 4096, 200
_MAX_PACKETS = 2_000_000
_MAX_MARKERS = 100_000


@dataclass
class _Grid:
    """The SIZ marker: the picture on its reference grid, its tiles and components."""

    width: int
    height: int
    tiles: int
    tile_width: int
    tile_height: int
    components: int
    depths: list[int] = field(default_factory=list)

    @property
    def samples(self) -> int:
        return self.width * self.height * self.components


def inspect(data: bytes) -> Container:
    """Read the boxes and codestream headers.

    Raises TooLarge for pictures that take far more memory than their pixels, Corrupt where the
    boxes and the codestream differ, UnsupportedMode for color spaces not read here.
    """
    container = Container(cut=True)
    if data.startswith(_START):
        _codestream(data, 0, len(data), container)
        return container
    streams = []
    for kind, start, end in boxes(data, 0, len(data)):
        if kind == b"jp2h":
            _header(data, start, end, container)
        elif kind == b"jp2c":
            streams.append((start, end))
    container.frames = max(1, len(streams))
    if streams:
        _codestream(data, *streams[0], container)
    return container


def finished(image: Image.Image, container: Container) -> Image.Image:
    """Do what Pillow leaves out: scale depths below 8 bits to 255, attach the ICC profile."""
    info = image.info
    white = container.white or 255
    if white < 255 and image.mode == "P":  # numbers of colors, moved up as if they were levels
        image = image.point([level // (256 - white) for level in range(256)])
    elif white < 255 and image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        levels = [min(255, round(255 * level / white)) for level in range(256)]
        image = image.point(levels * len(image.getbands()))
    if container.icc is not None:
        info["icc_profile"] = container.icc
        if container.icc[16:20] == b"CMYK" and image.mode == "RGBA":
            image = Image.merge("CMYK", image.split())
    image.info = info
    return image


def _header(data: bytes, start: int, end: int, container: Container) -> None:
    """The jp2h box: size and color."""
    for kind, begin, stop in boxes(data, start, end):
        if kind == b"ihdr" and stop - begin >= 14:
            height, width = struct.unpack_from(">II", data, begin)
            container.size = width, height
        elif kind == b"colr" and stop - begin >= 3 and container.icc is None:
            _color(data[begin:stop], container)


def _color(box: bytes, container: Container) -> None:
    method, value = box[0], big(box, 3, 4)
    if method == 1 and value not in _COLOR_SPACES:
        raise UnsupportedMode(f"JPEG 2000 color space {value}")
    if method in (2, 3):
        container.icc = box[3:]
    elif method == 5 and len(box) >= 9:
        container.coding = from_code_points(*struct.unpack_from(">HH", box, 3))


def _codestream(data: bytes, start: int, end: int, container: Container) -> None:
    if data[start : start + 4] != _START[: end - start]:
        raise Corrupt("no JPEG 2000 codestream where one should be")
    grid = _grid(data, start + 4)
    if grid is None:
        return
    if container.size not in (None, (grid.width, grid.height)):
        raise Corrupt("JPEG 2000 with two different sizes")
    container.size = grid.width, grid.height
    _check_depths(grid, container)
    _check_size(grid, len(data))
    for marker, begin, stop in _markers(data, start + 2, end):
        if marker == _COD:
            _check_parts(grid, data[begin:stop], 5)
            container.lossless = data[begin + 9 : begin + 10] == b"\1"
        elif marker == _COC:
            _check_parts(grid, data[begin + 1 : stop], 1)
        elif marker == _END:
            container.cut = False


def _check_depths(grid: _Grid, container: Container) -> None:
    deepest = max(grid.depths)
    if deepest > 16 or grid.components > 4:
        raise UnsupportedMode(f"JPEG 2000 with {grid.components} channels of {deepest} bits")
    container.deep = deepest > 8
    if grid.depths.count(deepest) == grid.components:
        # Pillow moves the bits up to 8 or 16, so that zeros are below them.
        top = 16 if deepest > 8 and grid.components == 1 else 8
        if deepest < top:
            container.white = (2**deepest - 1) << (top - deepest)


def _check_size(grid: _Grid, size: int) -> None:
    if grid.samples > _FREE_SAMPLES + _SAMPLES_A_BYTE * size:
        raise TooLarge(f"{grid.width:,} x {grid.height:,} pixels out of {size:,} bytes")
    most = _FREE_PARTS // 4 + grid.samples // 4096
    if grid.tiles > most:
        raise TooLarge(f"{grid.tiles:,} JPEG 2000 tiles, more than {most:,}")


def _check_parts(grid: _Grid, style: bytes, first: int) -> None:
    """Precincts, code blocks and layers of a COD (`first` is 5) or COC (1) marker."""
    if len(style) < first + 5:
        raise Corrupt("a JPEG 2000 header that is too short")
    layers = big(style, 2, 2) if first == 5 else 1
    levels, across, down = style[first], (style[first + 1] & 15) + 2, (style[first + 2] & 15) + 2
    if levels > 32 or across > 10 or down > 10 or across + down > 12:
        raise Corrupt("impossible JPEG 2000 code blocks")
    sizes = style[first + 5 :] if style[0] & 1 else b""
    blocks = precincts = 0
    for level in range(levels + 1):
        shift = min(levels - level, 31)
        wide, high = -(-grid.tile_width >> shift), -(-grid.tile_height >> shift)
        exponents = sizes[level] if level < len(sizes) else 0xFF
        px, py = exponents & 15, exponents >> 4
        precincts += -(-wide >> px) * -(-high >> py)
        blocks += -(-wide >> min(px, across)) * -(-high >> min(py, down))
    precincts, blocks = (n * grid.tiles * grid.components for n in (precincts, blocks))
    most = _FREE_PARTS + grid.samples // _SAMPLES_A_PART
    # A precinct holds a block or more.
    if blocks > most or precincts * layers > _MAX_PACKETS:
        raise TooLarge(
            f"a JPEG 2000 of {precincts:,} precincts, {blocks:,} code blocks, {layers:,} layers"
        )


def _grid(data: bytes, start: int) -> _Grid | None:
    """The SIZ marker's content, None where the file ends within. Raises Corrupt."""
    if len(data) < start + 38:
        return None
    _, _, right, bottom, left, top, tw, th, tx, ty, components = struct.unpack_from(
        ">HHIIIIIIIIH", data, start
    )
    depths = [(byte & 0x7F) + 1 for byte in data[start + 38 : start + 38 + 3 * components : 3]]
    if not depths or not tw or not th or right <= left or bottom <= top or tx > left or ty > top:
        raise Corrupt("an impossible JPEG 2000 size")
    tiles = -(-(right - tx) // tw) * -(-(bottom - ty) // th)
    width, height = right - left, bottom - top
    return _Grid(width, height, tiles, min(tw, width), min(th, height), components, depths)


def _markers(data: bytes, position: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end of its content): main header, tile-part headers, end of codestream."""
    tile_part_end = 0
    for _ in range(_MAX_MARKERS):
        marker = big(data, position, 2)
        if marker == _END:
            yield marker, position + 2, position + 2
            return
        if marker == _SOD:
            position = tile_part_end
            continue
        length = big(data, position + 2, 2)
        end = position + 2 + length
        if marker < 0xFF00 or length < 2 or end > len(data):
            return
        if marker == _SOT:
            size = big(data, position + 6, 4)
            # 0: the last tile part, up to the end marker.
            tile_part_end = position + size if size else stop - 2
            if size and size < 12:
                return
        yield marker, position + 4, end
        position = end
    raise Corrupt(f"more than {_MAX_MARKERS:,} JPEG 2000 markers")
