"""`python slow_run.py SOURCE OUT I/N SECONDS`: a run whose model takes its time for a photo.

So it can be killed, or overtaken.
Exit status 1 when a photo failed; prints the status of each.
"""

import sys
import time
from functools import partial

import numpy as np

from pix2pix.archives import copying, finding, shards
from pix2pix.colorize import folders
from pix2pix.colorize.copies import Maker, color_photo


class Slow:
    """Swaps light and dark."""

    name = "slow"

    def __init__(self, seconds: float):
        self.seconds = seconds

    def color(self, rgb: np.ndarray, wish: object) -> np.ndarray:
        time.sleep(self.seconds)
        return 255 - rgb


def main(source: str, out: str, shard: str, seconds: str = "0") -> int:
    def load() -> Maker:
        return partial(color_photo, model=Slow(float(seconds)))

    part = shards.parse(shard, {})
    found = finding.find([source], finding.Search(shard=part), out=out)
    failed = 0
    for record in folders.make_copies(found, load, ends=copying.StoreEnds(shard=part)):
        print(record.status, record.path, record.reason or "", flush=True)
        failed += record.status == "failed"
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
