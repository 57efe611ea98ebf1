"""Color photographs: `Colorizer` one of them, folders.py any number; `Translator` other pictures.

predictor.py runs the net on a small picture and smoothing.py makes its color even within things;
colorizer.py has recolor.py lay that (chroma.py) over the full-size lightness (lightness.py);
wish.py is what one may ask for, hints.py the colors that one knows and reach.py what they color,
reference.py a photo to take colors from, likeness.py where both look alike, sampling.py the
variants. borders.py finds what is no picture. translator.py runs a net from RGB to RGB; model.py is
what both have in common. copies.py makes the copy of a photo and writes it; layer.py its color
alone, sign.py the words "color simulated" in its corner; books.py that of a TIFF of several pages,
and gigapixel.py of one too large for the memory, which glance.py shrinks and painter.py recolors
row by row. jobs.py finds photos and names their outputs, outputs.py says which are done, folders.py
makes them by workers.py, watch.py those to come, pipe.py one from a pipe; tally.py counts what was
passed over, incolor.py names those in color already, toned ones and negatives. takes.py lists
renderings to choose from, temperature.py makes them warmer and cooler. engines/ runs nets on numpy
arrays, with torch or without, and writes them as ONNX files.
"""

from typing import TYPE_CHECKING

from pix2pix import on_first_use

__all__ = ["Colorizer", "Reference", "Translator", "Wish"]

if TYPE_CHECKING:
    from pix2pix.colorize.colorizer import Colorizer
    from pix2pix.colorize.reference import Reference
    from pix2pix.colorize.translator import Translator
    from pix2pix.colorize.wish import Wish

__getattr__ = on_first_use(
    __name__,
    {
        "Colorizer": "pix2pix.colorize.colorizer",
        "Reference": "pix2pix.colorize.reference",
        "Translator": "pix2pix.colorize.translator",
        "Wish": "pix2pix.colorize.wish",
    },
)
