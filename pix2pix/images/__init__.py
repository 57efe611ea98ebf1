"""Picture files in and out: the only door through which the package touches them.

`read` turns any supported file into upright 8-bit sRGB or raises a typed error; `write` and
`encode` put colors back into the format they came in, with the metadata that still holds. Decoders
load with the first photo.

A photo passes these files, in this order:

1. reading.py; guard.py holds Pillow's switches.
2. formats.py: which format it is, by its first bytes; refused.py names what is none of them.
3. containers.py: size, frames, damage, before anything is decoded. jpeg.py (jpeg_scans.py),
   png.py, gif.py, pnm.py, jpeg2000.py, tiff/, iso/ (AVIF, HEIC); WebP and BMP in containers.py.
4. decoder.py: Pillow, and tiff/ for layouts that Pillow lacks; pnm.py decodes its own. endings.py
   where the end marker is missing.
5. modes.py: pixels to 8-bit sRGB, by icc.py (profiles), coding.py and hdr.py (without one), in
   the memory that Pillow and numpy share (memory.py); arrays.py for arrays. depth.py keeps what
   files of 16 bits have besides, by grays.py and icc_deep.py. metadata/: what the file says;
   sidecars.py: what stands beside it.
6. writing.py, with metadata/statement.py: the colored copy; deep_files.py one of 16 bits.
   credentials.py signs it.

large.py reads pages of a TIFF that are too large for the memory, rows.py writes their copies;
orientation.py turns what is not turned when it is read.

A new format is a signature and extensions in formats.py, an `inspect` of its own (-> Container) in
`containers._INSPECTORS`, and in decoder.py what Pillow needs for it; metadata/reader.py reads what
it says. Its name leaves refused.py. To write it: formats.py, writing.py, `Format` in
app/service/parameters.py. app/page/words.py and the README list what is read.
"""

from typing import TYPE_CHECKING

from pix2pix import on_first_use

__all__ = [
    "EXTENSIONS",
    "READABLE",
    "Container",
    "Photo",
    "encode",
    "from_array",
    "grays16",
    "holds_16_bits",
    "output_format",
    "read",
    "to_array",
    "to_image",
    "to_rgb",
    "write",
]

if TYPE_CHECKING:
    from pix2pix.images.arrays import from_array, grays16, to_array
    from pix2pix.images.formats import (
        EXTENSIONS,
        READABLE,
        Container,
        holds_16_bits,
        output_format,
    )
    from pix2pix.images.memory import to_image
    from pix2pix.images.modes import to_rgb
    from pix2pix.images.reading import Photo, read
    from pix2pix.images.writing import encode, write

# none of these modules is called as one of the names: it would stand in its place once imported
__getattr__ = on_first_use(
    __name__,
    dict.fromkeys(["from_array", "grays16", "to_array"], "pix2pix.images.arrays")
    | dict.fromkeys(
        ["EXTENSIONS", "READABLE", "Container", "holds_16_bits", "output_format"],
        "pix2pix.images.formats",
    )
    | {"to_image": "pix2pix.images.memory", "to_rgb": "pix2pix.images.modes"}
    | dict.fromkeys(["Photo", "read"], "pix2pix.images.reading")
    | dict.fromkeys(["encode", "write"], "pix2pix.images.writing"),
)
