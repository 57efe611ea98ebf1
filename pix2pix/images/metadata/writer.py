"""Write metadata: by the arguments of Pillow's encoders, or into a finished TIFF."""

import io
from typing import Any

from PIL import PngImagePlugin

from pix2pix.images.metadata import exif, exif_write, iptc, segments, texts
from pix2pix.images.metadata.statement import Statement

_ORIENTATION, _XMP, _IPTC, _PHOTOSHOP = 0x0112, 700, 33723, 34377
_BYTE = 1


def options(said: Statement, name: str) -> dict[str, Any]:
    """Make the keyword arguments of Pillow's encoder of format `name` that hold metadata."""
    found: dict[str, Any] = {}
    if name == "TIFF":
        return found
    if said.exif is not None:
        if name == "AVIF":  # Pillow would write the whole block anew without it
            said.exif.main.pop(_ORIENTATION, None)
        found["exif"] = exif_write.to_bytes(said.exif)
    if name == "JPEG":
        found["extra"] = segments.build(
            xmp=said.xmp,
            extension=said.extension,
            resources=iptc.to_resources(said.resources),
            comments=[text.value for text in said.texts],
        )
    elif name == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt(texts.XMP_KEYWORD, said.xmp)
        for text in said.texts:
            info.add(*texts.png_chunk(text))
        found["pnginfo"] = info
    else:
        found["xmp"] = said.xmp
    return found


def finish_tiff(file: io.BytesIO, said: Statement) -> None:
    """Insert the metadata into a finished TIFF."""
    packets = {_XMP: exif.Entry(_BYTE, said.xmp)}
    others = dict(said.resources)
    if iptc.IPTC in others:
        records = others.pop(iptc.IPTC)
        padded = records + bytes(-len(records) % 4)
        packets[_IPTC] = exif.Entry(exif.LONG, padded)  # the type that libtiff knows it by
    if others:
        packets[_PHOTOSHOP] = exif.Entry(_BYTE, iptc.to_resources(others))
    exif_write.attach(file, said.exif or exif.Block(), packets)
