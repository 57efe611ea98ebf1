"""TIFF files of tiles and of several pages, which Pillow does not write, or not so."""

import io

import numpy as np
from PIL import Image

from pix2pix.images.tiff import extract, packing, pieces
from pix2pix.images.tiff.extract import Fields
from pix2pix.images.tiff.output import TiffWriter
from pix2pix.images.tiff.structure import TiffHeader

HEAD = TiffHeader("<", False, 0)
COMPRESSIONS = {
    "none": packing.NONE,
    "lzw": packing.LZW,
    "deflate": packing.DEFLATE,
    "packbits": packing.PACKBITS,
    "jpeg": pieces.JPEG,
}
_NOTHING = b"II*\0\x08\0\0\0\0\0"


class Memory:
    """A sink for a TiffWriter."""

    def __init__(self) -> None:
        self.data = bytearray()

    def __call__(self, data: bytes) -> None:
        self.data += data

    def begin_with(self, data: bytes) -> None:
        self.data[: len(data)] = data


def tiled(
    pixels: np.ndarray, tile: int = 64, compression: str = "lzw", more: Fields | None = None
) -> bytes:
    """(H, W) or (H, W, 3|4), uint8 or uint16, as a TIFF of square tiles."""
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    (height, width, channels), code = pixels.shape, COMPRESSIONS[compression]
    sink = Memory()
    writer, encode = TiffWriter(sink), pieces.encoder(code)
    offsets, counts = [], []
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            piece = pixels[top : top + tile, left : left + tile]
            lacking = [(0, tile - piece.shape[0]), (0, tile - piece.shape[1]), (0, 0)]
            data = encode(np.pad(piece, lacking, "edge"))
            offsets.append(writer.add(data))
            counts.append(len(data))
    fields = pieces.fields(code, channels, bits=8 * pixels.itemsize)
    fields |= {256: extract.longs(HEAD, width), 257: extract.longs(HEAD, height)}
    fields |= {tag: extract.longs(HEAD, tile) for tag in (322, 323, 324, 325)}
    writer.page(fields | (more or {}), _NOTHING, offsets, counts)
    writer.finish()
    return bytes(sink.data)


def page(pixels: np.ndarray | Image.Image, **options: object) -> bytes:
    """A page as Pillow writes it."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", **options)
    return buffer.getvalue()


def bound(*pages: bytes | tuple[bytes, Fields]) -> bytes:
    """Some TIFF files of strips as the pages of one; or each with further fields."""
    sink = Memory()
    writer = TiffWriter(sink)
    for data in pages:
        writer.copy(*(data if isinstance(data, tuple) else (data, {})))
    writer.finish()
    return bytes(sink.data)


def opened(data: bytes) -> list[Image.Image]:
    """All pages, as Pillow reads them."""
    image = Image.open(io.BytesIO(data))
    found = []
    for number in range(image.n_frames):
        image.seek(number)
        image.load()
        found.append(image.copy())
        found[-1].tag_v2 = dict(image.tag_v2)
        found[-1].info = dict(image.info)
    return found
