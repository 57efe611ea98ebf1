"""Actors: what a machine of a fleet holds, a model and both ends of its work, opened once."""

import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from pix2pix import __version__, strips
from pix2pix.archives.blocks import unpack
from pix2pix.archives.measured import MeasuredEnds
from pix2pix.colorize import folders
from pix2pix.colorize.copies import Maker, maker
from pix2pix.colorize.ends import FileOptions
from pix2pix.colorize.engines.batching import BatchingEngine
from pix2pix.colorize.jobs import Job, Record
from pix2pix.colorize.wish import AS_PREDICTED, Wish
from pix2pix.errors import WeightsError

Copier = Callable[[Iterable[Job]], Iterator[Record]]
"""Copies jobs -> a record of each, on the cores and the device that an actor has."""


@dataclass(frozen=True, kw_only=True)
class Coloring:
    """What a fleet does: it travels to each actor, which calls it once."""

    weights: str = "default"
    device: str = "auto"
    wish: Wish = AS_PREDICTED
    files: FileOptions = FileOptions()
    layer: bool = False
    mark: bool = False
    folder: str | None
    """Where the command was given: relative paths start there. None: there are none."""
    version: str = __version__

    def __call__(self) -> Copier:
        """Load the model -> what colors photos by it.

        Raises as `Colorizer.from_pretrained`, and WeightsError on a machine that has another
        version of the package: its bytes would be others.
        """
        if self.version != __version__:
            raise WeightsError(
                f"pix2pix-color is {__version__} here, {self.version} at the command"
            )
        if self.folder is not None:
            os.chdir(self.folder)
        make = self.load()
        return partial(self._copy, make)

    def load(self) -> Maker:
        """The model at work."""
        from pix2pix.colorize.colorizer import Colorizer

        model = Colorizer.from_pretrained(self.weights, device=self.device)
        if model.device != "cpu":
            model.engine = BatchingEngine(model.engine)
        return maker(model, self.wish, layer=self.layer, mark=self.mark)

    def _copy(self, make: Maker, jobs: Iterable[Job]) -> Iterator[Record]:
        ends = MeasuredEnds(self.files, checked=True)
        for record in folders.make_copies(jobs, lambda: make, self.files, ends):
            yield ends.measure(record)


class Actor:
    """What Ray runs."""

    def __init__(self, open: Callable[[], Copier], cores: int):
        strips.set_share(cores)
        self.cores = cores
        self.copy = open()

    def __call__(self, blocks: Any) -> dict[str, list[Any]]:
        """Copy blocks, a pyarrow table of numbers and jobs -> their numbers and records."""
        strips.set_share(self.cores)  # of this thread, which may be another
        done = [list(self.copy(unpack(jobs))) for jobs in blocks["jobs"].to_pylist()]
        return {"block": blocks["block"].to_pylist(), "records": [pickle.dumps(d) for d in done]}
