"""What notebooks show: real source, shapes, photographs, curves that grow, sliders, checks.

pictures.py has photographs and planes of color, code.py source and shapes, live.py curves that
grow, explore.py sliders, before_after.py a photograph and its coloring, upload.py a button for the
reader's own, check.py exercises, same_net.py those about nets; templates.py fills HTML and
Markdown, for pages, too.

Pictures come out as small JPEGs on a light ground, tables and source as HTML with colors of its
own, so that dark and light pages both stay readable, and so do pages without a kernel behind
them.
"""

from pix2pix.show.before_after import before_after, dots
from pix2pix.show.check import check, yours
from pix2pix.show.code import Html, shapes, source
from pix2pix.show.explore import explore
from pix2pix.show.live import Live, Movie
from pix2pix.show.pictures import Picture, ab_plane, channels, figure, grid, heat, patches
from pix2pix.show.same_net import same_net
from pix2pix.show.upload import Upload, upload

__all__ = [
    "Html",
    "Live",
    "Movie",
    "Picture",
    "Upload",
    "ab_plane",
    "before_after",
    "channels",
    "check",
    "dots",
    "explore",
    "figure",
    "grid",
    "heat",
    "patches",
    "same_net",
    "shapes",
    "source",
    "upload",
    "yours",
]
