"""Train a recipe on photographs: `fit`, or `python -m pix2pix.train` with settings.

loop.py is the loop and step.py one step of it; settings.py what `fit` takes. feed.py makes
batches ahead, state.py is all that a run carries, checkpoints.py keeps it, validate.py measures
it, run.py is its folder, with loggers.py and history.py for its metrics. __main__.py, config.py
(all settings, of signatures) and overrides.py are the command (Hydra); processes.py, slurm.py
and sweep.py are for many devices, queues and runs.
"""

from typing import TYPE_CHECKING

from pix2pix import on_first_use

__all__ = ["Loggers", "fit", "train_step"]

if TYPE_CHECKING:
    from pix2pix.train.loggers import Loggers
    from pix2pix.train.loop import fit
    from pix2pix.train.step import train_step

__getattr__ = on_first_use(
    __name__,
    {
        "fit": "pix2pix.train.loop",
        "train_step": "pix2pix.train.step",
        "Loggers": "pix2pix.train.loggers",
    },
)
