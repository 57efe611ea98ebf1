"""GIF before decoding: its screen and frames, step by step as Pillow's reader takes them.

Source: GIF89a specification; PIL.GifImagePlugin.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pix2pix.errors import Corrupt
from pix2pix.images.bits import little
from pix2pix.images.formats import Container
from pix2pix.images.metadata import texts

_MAX_FRAMES = 10_000
_MAX_BLOCKS = 1_000_000
_MAX_BLOCKS_BEFORE_PICTURE = 100_000
_MAX_COMMENT = 2**20  # Pillow joins comments block by block, in quadratic time
_COMMENT, _APPLICATION = 0xFE, 0xFF


class _Enough(Exception):
    """More blocks than are worth counting."""


@dataclass
class _Reader:
    """A position among sub-blocks; those of one byte each would keep Pillow busy for hours."""

    data: bytes
    position: int
    blocks: int = 0
    frames: int = 0

    def byte(self) -> int:
        """The next byte, or 0 past the end."""
        self.position += 1
        return self.data[self.position - 1] if self.position <= len(self.data) else 0

    def block(self) -> bytes:
        """One sub-block, empty if it is the last."""
        self.blocks += 1
        if self.blocks > _MAX_BLOCKS_BEFORE_PICTURE and not self.frames:
            raise Corrupt(f"more than {_MAX_BLOCKS_BEFORE_PICTURE:,} GIF blocks, no picture")
        if self.blocks > _MAX_BLOCKS or self.frames > _MAX_FRAMES:
            raise _Enough
        size = self.byte()
        self.position += size
        return self.data[self.position - size : self.position]

    def blocks_to_the_end(self) -> None:
        while self.block():
            pass

    def color_table(self, flags_at: int) -> None:
        self.position += _color_table(self.data, flags_at)


def inspect(data: bytes) -> Container:
    """Count the frames, and measure the canvas that the first one needs.

    Pillow widens the screen to a frame that reaches beyond it, and allocates both when it opens
    the file. Raises Corrupt for too many blocks.
    """
    container = Container(frames=0, lossless=True)
    container.size = little(data, 6, 2), little(data, 8, 2)
    reader = _Reader(data, 13)
    reader.color_table(10)
    try:
        ended = _walk(reader, container)
    except _Enough:
        container.many = True
    else:
        container.cut = reader.position > len(data) or not reader.frames or not ended
    container.frames = max(1, reader.frames)
    return container


def comments(data: bytes) -> Iterator[texts.Text]:
    """Read the comments of a GIF, and its XMP as a text of that name."""
    position = 13 + _color_table(data, 10)
    while (kind := data[position : position + 1]) in (b",", b"!"):
        label = data[position + 1 : position + 2] if kind == b"!" else b""
        position += 2 if kind == b"!" else 11 + _color_table(data, position + 9)
        if label == b"\xff" and data[position : position + 12] == b"\x0bXMP DataXMP":
            end = data.find(b"\x01\xff\xfe", position)  # the magic trailer behind the packet
            if end > 0:
                yield texts.Text(texts.XMP_KEYWORD, data[position + 12 : end], "iTXt")
        content = bytearray()
        while position < len(data) and (size := data[position]):
            if label == b"\xfe" and len(content) <= texts.MAX_TEXT:
                content += data[position + 1 : position + 1 + size]
            position += 1 + size
        position += 1
        if label == b"\xfe":
            yield texts.comment(bytes(content))


def _color_table(data: bytes, flags_at: int) -> int:
    """[bytes] of the color table that the flags at a position announce."""
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _walk(reader: _Reader, container: Container) -> bool:
    """Whether the trailer is there."""
    comments = 0
    while reader.position < len(reader.data):
        start, kind = reader.position, reader.byte()
        if kind == ord(";"):
            return True
        if kind == ord("!"):
            label = _pass_extension(reader)
            comments += (reader.position - start) * (label == _COMMENT)
            if comments > _MAX_COMMENT and not reader.frames:
                raise Corrupt(f"more than {_MAX_COMMENT:,} bytes of GIF comments")
        elif kind == ord(","):
            _pass_frame(reader, container)
        # anything else is passed over, as Pillow does
    return False


def _pass_extension(reader: _Reader) -> int:
    """Returns its label."""
    label, block = reader.byte(), reader.block()
    if label == _COMMENT:
        while block:
            block = reader.block()
        return label
    # Pillow asks for the next block even behind an empty one
    if label == _APPLICATION and not reader.frames and block.startswith(b"NETSCAPE2.0"):
        reader.block()
    reader.blocks_to_the_end()
    return label


def _pass_frame(reader: _Reader, container: Container) -> None:
    data, start = reader.data, reader.position
    if not reader.frames and container.size is not None:
        right = little(data, start, 2) + little(data, start + 4, 2)
        bottom = little(data, start + 2, 2) + little(data, start + 6, 2)
        width, height = container.size
        container.size = max(width, right), max(height, bottom)
    reader.position = start + 9
    reader.color_table(start + 8)
    reader.frames += 1
    reader.position += 1  # the size of a code
    reader.blocks_to_the_end()
