"""Reports: how good a model is on a folder of color photos, beside rows that cost nothing.

`evaluate` measures (measure.py, with yardsticks.py, curves.py, compare.py and intervals.py),
`format_table` and page.py show what it found; blind.py asks people instead, sheet.py is for
looking at photos whose colors nobody knows. folder.py writes what is known of a run or of weights
(source.py finds it; layers.py, grids.py and evaluation.py read it; charts.py,
histograms.py, plot.py and run_page.py show it). command.py is the command line of it all. What is
public here loads on first use, so that `pix2pix --help` stays quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["evaluate", "format_table"]

if TYPE_CHECKING:
    from pix2pix.report.measure import evaluate
    from pix2pix.report.table import format_table

_HOMES = {"evaluate": "pix2pix.report.measure", "format_table": "pix2pix.report.table"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pix2pix.report' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
