"""`pix2pix colorize --engine ray`: what a fleet does, of the command's options."""

import os
from typing import TYPE_CHECKING

from pix2pix.cli import console

if TYPE_CHECKING:
    from pix2pix.archives.runs import Fleet
    from pix2pix.colorize.ends import FileOptions
    from pix2pix.colorize.wish import Wish


def fleet(
    weights: str,
    device: str,
    wish: "Wish",
    files: "FileOptions",
    address: str | None,
    *,
    relative: bool = True,
    layer: bool = False,
    mark: bool = False,
) -> "Fleet":
    """Colors jobs by actors on Ray; `device` "auto" takes GPUs where the cluster has some.

    `relative`: paths that start at the working folder are among the inputs or outputs.
    """
    from collections.abc import Iterator

    from pix2pix.archives import actors
    from pix2pix.archives import fleet as fleets
    from pix2pix.archives.blocks import Blocks
    from pix2pix.colorize.jobs import Record
    from pix2pix.weights.header import bundled

    if os.path.isfile(weights) and weights not in bundled():  # as header.py has it
        weights = os.path.abspath(weights)
    coloring = actors.Coloring(
        weights=weights,
        device=device,
        wish=wish,
        files=files,
        layer=layer,
        mark=mark,
        folder=os.getcwd() if relative else None,
    )
    gpu = None if device == "auto" else device != "cpu"

    def color(blocks: Blocks) -> Iterator[Record]:
        if blocks:
            console.load_model(weights, "cpu")  # what cannot be loaded is found out here and now
        return fleets.copy(blocks, coloring, address=address, gpu=gpu)

    return color
