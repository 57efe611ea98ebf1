"""Source: the files that a report is about: those of a training run, or of weights."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from pix2pix import weights
from pix2pix.errors import DataError

_OF_A_RUN = ("config.yaml", "last.safetensors", "best.safetensors")  # no report has any of them
_GRID = re.compile(r"val-(\d+)\.png")


@dataclass(frozen=True)
class RunOrWeights:
    """The files of a run or of weights; a run that has just begun may have none yet."""

    title: str
    is_run: bool
    weights: dict[str, Path] = field(default_factory=dict)  # by heading, what is described first
    metrics: Path | None = None
    config: Path | None = None
    grids: dict[int, Path] = field(default_factory=dict)  # by step, in its order


def is_run(folder: Path) -> bool:
    """Whether this is the folder of a training run, be it only its configuration."""
    return any((folder / name).is_file() for name in _OF_A_RUN)


def find_run_or_weights(source: str) -> RunOrWeights:
    """Find the files of a run's folder, or of weights as `weights.find` does.

    Bundled names come before folders of that name. Raises DataError for a folder that is no run,
    WeightsError for no such weights.
    """
    path = Path(source)
    if source in weights.bundled() or not path.is_dir():
        return RunOrWeights(f"Weights {source}", False, {"header": weights.find(source)})
    if not is_run(path):
        raise DataError("a folder, but not that of a run: no config.yaml and no weights in it")
    names = ("last.safetensors", "best.safetensors")
    grids = {int(m[1]): p for p in (path / "grids").glob("*.png") if (m := _GRID.fullmatch(p.name))}
    return RunOrWeights(
        f"Run {source}",
        True,
        weights={name: path / name for name in names if (path / name).is_file()},
        metrics=_there(path / "metrics.csv"),
        config=_there(path / "config.yaml"),
        grids=dict(sorted(grids.items())),
    )


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None
