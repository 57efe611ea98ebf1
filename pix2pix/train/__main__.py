"""`pix2pix train`, which is `python -m pix2pix.train`: one run or a sweep, configured by Hydra.

`main` lets Hydra compose the settings, `fit_configured` builds from them what `fit` takes.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from pix2pix.errors import TRAIN_NEEDS, Failure, SettingError, one_line

try:
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf import DictConfig
    from omegaconf.errors import OmegaConfBaseException

    from pix2pix.train.loop import fit
except ModuleNotFoundError as error:
    if __name__ == "__main__":
        sys.exit(f"pix2pix train: {TRAIN_NEEDS}")
    raise ModuleNotFoundError(TRAIN_NEEDS) from error

import torch
from safetensors import SafetensorError

from pix2pix.data.photos import prepare
from pix2pix.nets import config_of
from pix2pix.recipes import assemble
from pix2pix.terminal import escape, put
from pix2pix.train import slurm
from pix2pix.train.config import (
    build_loggers,
    check_classes,
    check_sizes,
    fitting_size,
    for_photos_only,
    for_task,
    open_photos,
    parameters,
    plain,
    register,
)
from pix2pix.train.overrides import explain, misread, verbatim
from pix2pix.train.processes import is_first, launch
from pix2pix.train.state import State
from pix2pix.train.sweep import Results, conclude, noted
from pix2pix.weights.header import MOST_PIXELS, Header

# what ends a run with one line instead of a traceback
EXPECTED = (
    *(Failure, OmegaConfBaseException),
    *(OSError, torch.OutOfMemoryError),  # a disk's, a GPU's
)
# of a recipe's settings, those left out of the weights' header, which others read: it has the
# generator in a field of its own, and a path leads nowhere on their machines
LOCAL = ("generator", "perceptual_weights")


def main(overrides: list[str]) -> int:
    """Run `pix2pix train OVERRIDES` -> the exit status; bad data or settings are one line."""
    texts = register()
    if why := misread(overrides):
        return refuse(why)
    Results.folder = None
    status = run_hydra(verbatim(overrides, texts))
    return status if Results.folder is None else max(status, conclude(Results.folder))


def run_hydra(overrides: list[str]) -> int:
    """Let Hydra compose the settings and call `composed` -> the exit status, 130 after Ctrl-C.

    What Hydra cannot read or compose is one line, but for HYDRA_FULL_ERROR=1.
    """
    program = sys.modules["__main__"]
    before = sys.argv, program.__spec__
    full = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra prints its errors, in many lines, and exits
    sys.argv = [__file__, *overrides]
    if program.__spec__ is None:
        # data-parallel runs start their other processes as `python -m` of what this names
        program.__spec__ = find_spec("pix2pix.train.__main__")
    try:
        composed()
        return 0
    except SystemExit as stop:
        return 143 if stop.code == 143 else int(bool(stop.code))  # argparse's 2 is 1 here
    except (HydraException, OmegaConfBaseException) as error:
        if full:
            raise
        return refuse(uncomposed(error)) if is_first() else 1
    except KeyboardInterrupt:
        return 130
    finally:
        sys.argv, program.__spec__ = before
        os.environ.pop("HYDRA_FULL_ERROR")
        if full is not None:
            os.environ["HYDRA_FULL_ERROR"] = full


@hydra.main(version_base="1.3", config_path="pkg://pix2pix.configs", config_name="train")
def composed(config: DictConfig) -> None:
    """Train with the settings that Hydra composed: a single run, or one of a sweep."""
    job = HydraConfig.get()
    recipe_name = job.runtime.choices["recipe"]
    if job.mode == RunMode.MULTIRUN:
        folder = job.runtime.output_dir
        with noted(folder, list(job.overrides.task), expected=EXPECTED):
            if config.trainer.devices * config.trainer.num_nodes > 1 and slurm.job() is None:
                raise SettingError("--multirun is for runs of one process each, but by SLURM")
            fit_configured(config, recipe_name=recipe_name, run_dir=folder)
        return
    try:
        fit_configured(config, recipe_name=recipe_name, run_dir=config.run_dir)
    except EXPECTED as error:
        if is_first():  # once, not by every process
            refuse(reason(error))
        raise SystemExit(1) from error


def fit_configured(config: DictConfig, *, recipe_name: str, run_dir: str) -> State:
    """Build what `fit` takes, then call it; recipe and data first, before any device is used."""
    settings = plain(config) | {"run_dir": run_dir}
    trainer, data = dict(settings["trainer"]), settings["data"]
    torch.manual_seed(trainer["seed"])
    settings["recipe"] = for_task(settings["recipe"], data)
    try:
        recipe = assemble(settings["recipe"])
    except (ValueError, TypeError, OSError, RuntimeError, SafetensorError) as error:
        raise SettingError(f"recipe: {' '.join(str(error).split())}") from error
    data["size"] = fitting_size(data["size"], recipe.generator)
    check_sizes(trainer["sizes"], data["size"], recipe.generator, recipe.critic)
    loggers = build_loggers(settings)
    photos, val = open_photos(data, seed=trainer["seed"])
    check_classes(recipe, photos)
    fabric = launch(**{name: trainer.pop(name) for name in parameters(launch)})
    if fabric.is_global_zero:
        held = f"{len(val)} to validate" if val else "too few to hold some back for validation"
        where = f"{fabric.world_size} x {fabric.device.type}, {fabric.strategy.precision.precision}"
        put(f"{photos.title} ({photos.notes}), {held}; {where}", sys.stderr)
    header = Header(
        config_of(recipe.generator),
        name=Path(run_dir).name,
        recipe=recipe_name,
        head=recipe.head,
        task=photos.task,
        area=min(data["size"] ** 2, MOST_PIXELS),
        arguments={k: v for k, v in settings["recipe"].items() if k not in LOCAL},
        data=photos.title + (f" of {Path(data['path']).name}" if "path" in data else ""),
    )
    return fit(
        recipe,
        photos=photos,
        run_dir=fabric.broadcast(run_dir),  # where the clock is in its name, the others' differs
        val=val,
        fabric=fabric,
        loggers=loggers,
        header=header,
        augment={name: data[name] for name in parameters(prepare) if name in data},
        config=settings,
        **trainer,
    )


def uncomposed(error: Exception) -> str:
    """What Hydra could not compose, in one line; of settings for photos alone, that they are."""
    said = explain(error)
    setting = said.partition("Could not override '")[2].partition("'")[0]
    if for_photos_only(setting):
        return f"{setting}: for photos to color (data=photos), not for what this run trains on"
    return said


def refuse(why: str) -> int:
    """Print in one line why there is no run -> the exit status."""
    put(f"pix2pix train: {escape(' '.join(why.splitlines()))}", sys.stderr)
    return 1


def reason(error: Exception) -> str:
    """An error that ended a run -> one line for the user."""
    if isinstance(error, torch.OutOfMemoryError):
        return f"{one_line(error)}; a smaller trainer.batch or a larger trainer.accumulate helps"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, OmegaConfBaseException):
        return explain(error)
    return str(error) or type(error).__name__


if __name__ == "__main__":
    # under its own name: submitit sends functions by it
    from pix2pix.train import __main__ as program

    sys.exit(program.main(sys.argv[1:]))
