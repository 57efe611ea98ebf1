"""What notebooks show: real source, shapes, photographs, curves that grow, sliders, checks.

pictures.py has photographs and planes of color, code.py source and shapes, live.py curves that
grow, explore.py sliders, check.py exercises, same_net.py those about nets; templates.py fills HTML
and Markdown, for pages, too.

Pictures come out as small JPEGs on a light ground, tables and source as HTML with colors of its
own, so that dark and light pages both stay readable, and so do pages without a kernel behind
them.
"""

from pix2pix.show.check import check, yours
from pix2pix.show.code import Html, shapes, source
from pix2pix.show.explore import explore
from pix2pix.show.live import Live, Movie
from pix2pix.show.pictures import Picture, ab_plane, channels, figure, grid, heat, patches
from pix2pix.show.same_net import same_net

__all__ = [
    "Html",
    "Live",
    "Movie",
    "Picture",
    "ab_plane",
    "channels",
    "check",
    "explore",
    "figure",
    "grid",
    "heat",
    "patches",
    "same_net",
    "shapes",
    "source",
    "yours",
]
