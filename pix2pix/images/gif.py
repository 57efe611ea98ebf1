"""GIF before decoding: its screen and frames, step by step as Pillow's reader takes them.

Source: GIF89a specification; PIL.GifImagePlugin.
"""

from dataclasses import dataclass

from pix2pix.errors import Corrupt
from pix2pix.images.formats import Container

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

    def color_table(self, flags: int) -> None:
        if flags & 0x80:
            self.position += 3 * 2 ** ((flags & 7) + 1)


def inspect(data: bytes) -> Container:
    """The number of frames, and the canvas that the first one needs.

    Pillow widens the screen to a frame that reaches beyond it, and allocates both when it opens
    the file. Raises Corrupt for too many blocks.
    """
    container = Container(frames=0, lossless=True)
    container.size = _little(data, 6), _little(data, 8)
    reader = _Reader(data, 13)
    reader.color_table(data[10] if len(data) > 10 else 0)
    try:
        ended = _walk(reader, container)
    except _Enough:
        container.many = True
    else:
        container.cut = reader.position > len(data) or not reader.frames or not ended
    container.frames = max(1, reader.frames)
    return container


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
        right = _little(data, start) + _little(data, start + 4)
        bottom = _little(data, start + 2) + _little(data, start + 6)
        width, height = container.size
        container.size = max(width, right), max(height, bottom)
    reader.position = start + 9
    reader.color_table(data[start + 8] if start + 8 < len(data) else 0)
    reader.frames += 1
    reader.position += 1  # the size of a code
    reader.blocks_to_the_end()


def _little(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 2], "little")
