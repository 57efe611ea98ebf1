"""Picture files in and out: the only door through which the package touches them.

`read` turns any supported file into upright 8-bit sRGB or raises a typed error; `write` and
`encode` put colors back into the format they came in, with the metadata that still holds.

A photo passes these files, in this order:

1. read.py; endings.py where the end marker is missing; guard.py holds Pillow's switches.
2. formats.py: which format it is, by its first bytes; refused.py names what is none of them.
3. containers.py: size, frames, damage, before anything is decoded. A file a format: jpeg.py
   (jpeg_scans.py), png.py, gif.py, pnm.py, jpeg2000.py, tiff/, iso/ (AVIF, HEIC).
4. decoder.py: Pillow, and tiff/ for layouts that Pillow lacks.
5. modes.py: pixels to 8-bit sRGB, by icc.py (profiles), coding.py and hdr.py (without one);
   arrays.py for arrays. metadata/: what the file says besides; sidecars.py: what stands beside it.
6. write.py, with metadata/statement.py: the colored copy.

A new format is a signature and extensions in formats.py, an `inspect` of its own (-> Container) in
`containers._INSPECTORS`, and in decoder.py what Pillow needs for it; metadata/reader.py reads what
it says.
"""

from pix2pix.images.formats import EXTENSIONS, READABLE, output_format
from pix2pix.images.read import Photo, read
from pix2pix.images.write import encode, write

__all__ = ["EXTENSIONS", "READABLE", "Photo", "encode", "output_format", "read", "write"]
