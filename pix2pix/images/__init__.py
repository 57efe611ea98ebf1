"""Picture files in and out: the only door through which the package touches them.

`read` turns any supported file into upright 8-bit sRGB or raises a typed error; `write` and
`encode` put colors back into the format they came in, with the metadata that still holds.
"""

from pix2pix.images.formats import EXTENSIONS, READABLE, output_format
from pix2pix.images.read import Photo, read
from pix2pix.images.write import encode, write

__all__ = ["EXTENSIONS", "READABLE", "Photo", "encode", "output_format", "read", "write"]
