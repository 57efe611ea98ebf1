"""Evaluate: metrics of a model on a folder of color photos.

`evaluate` computes them, beside those of baselines, `format_table` makes a table of the result.
measure.py goes through the photos (photos.py), one on each core (workers.py), with metrics.py,
colors.py and feature_metrics.py, of which distances.py makes metrics of sets; curves.py and
variants.py color them again under other conditions, frontier.py scales the colors found, compare.py
sets two models side by side, intervals.py says how far to trust a mean, result.py what comes out,
and table.py lays it out.
"""

from pix2pix.evaluate.measure import evaluate
from pix2pix.evaluate.table import format_table

__all__ = ["evaluate", "format_table"]
