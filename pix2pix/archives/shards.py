"""Shards: which part of a run is this machine's, said by hand or by the scheduler of a job array.

A photo's part is a hash of its output's name below the root (colorize/jobs.py), so that machines
need not talk to each other, and photos that come later change nothing for the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pix2pix.errors import SettingError


@dataclass(frozen=True)
class Array:
    """Variables in which a scheduler tells a task of an array its place."""

    scheduler: str
    index: str
    first: str | int
    """The first index, or the variable with it."""
    count: str | None = None
    """The variable with the number of tasks."""
    last: str | None = None
    step: str | None = None


# Sources: sbatch(1); AWS Batch, "Array jobs"; Kubernetes, "Indexed Job" (which says no count:
# JOB_COMPLETIONS is what docs and manifests here call it); Cloud Run, "Container contract"; Google
# Batch, "Environment variables"; qsub of Grid Engine and of PBS Professional; bsub of LSF.
_SLURM = "SLURM_ARRAY_TASK"
ARRAYS = (
    Array(
        "SLURM",
        f"{_SLURM}_ID",
        f"{_SLURM}_MIN",
        f"{_SLURM}_COUNT",
        f"{_SLURM}_MAX",
        f"{_SLURM}_STEP",
    ),
    Array("AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", 0, "AWS_BATCH_JOB_ARRAY_SIZE"),
    Array("Kubernetes", "JOB_COMPLETION_INDEX", 0, "JOB_COMPLETIONS"),
    Array("Cloud Run", "CLOUD_RUN_TASK_INDEX", 0, "CLOUD_RUN_TASK_COUNT"),
    Array("Google Batch", "BATCH_TASK_INDEX", 0, "BATCH_TASK_COUNT"),
    Array(
        "Grid Engine",
        "SGE_TASK_ID",
        "SGE_TASK_FIRST",
        last="SGE_TASK_LAST",
        step="SGE_TASK_STEPSIZE",
    ),
    Array("PBS", "PBS_ARRAY_INDEX", 1),
    Array("LSF", "LSB_JOBINDEX", 1, last="LSB_JOBINDEX_END", step="LSB_JOBINDEX_STEP"),
)
_NONE = {"", "undefined"}  # what Grid Engine says outside of an array
_LSF_ALONE = ("LSB_JOBINDEX", "0")


def parse(text: str, environment: Mapping[str, str]) -> tuple[int, int]:
    """Parse "I/N", "auto" or "auto/N" -> (i, n) with 1 <= i <= n.

    Raises SettingError, which names the variables that were looked for.
    """
    part, _, parts = text.partition("/")
    if part == "auto" and (parts.isdecimal() and int(parts) > 0 or text == "auto"):
        return automatic(environment, int(parts) if parts else None)
    if _is_number(part) and _is_number(parts) and 1 <= int(part) <= int(parts):
        return int(part), int(parts)
    raise SettingError(f"--shard is I/N such as 2/8, auto, or auto/N, not {text}")


def automatic(environment: Mapping[str, str], count: int | None = None) -> tuple[int, int]:
    """The part (i, n) of this task of a job array; `count` is n where the environment lacks it.

    Raises SettingError: no array, several that differ, no count, or an index beyond it.
    """
    environment = dict(environment)  # os.environ cannot be asked for a name that is None
    found = {array.scheduler: _place(array, environment, count) for array in _here(environment)}
    if not found:
        names = ", ".join(array.index for array in ARRAYS)
        raise SettingError(f"--shard auto finds no job array; it looked for {names}")
    if len(set(found.values())) > 1:
        said = ", ".join(f"{name} says {i}/{n}" for name, (i, n) in found.items())
        raise SettingError(f"--shard auto finds arrays that differ: {said}; give I/N")
    return next(iter(found.values()))


def _here(environment: Mapping[str, str]) -> list[Array]:
    """The arrays whose index the environment has."""
    return [
        array
        for array in ARRAYS
        if environment.get(array.index, "") not in _NONE
        and (array.index, environment[array.index]) != _LSF_ALONE
    ]


def _place(array: Array, environment: Mapping[str, str], count: int | None) -> tuple[int, int]:
    index = _number(environment, array.index)
    first = array.first if isinstance(array.first, int) else _number(environment, array.first)
    step = _number(environment, array.step) if array.step in environment else 1
    if step < 1:
        raise SettingError(f"--shard auto: {array.step} is {step}")
    said = _count(array, environment, first, step)
    if said is not None and count is not None and said != count:
        raise SettingError(f"--shard auto/{count}, but {array.scheduler} says {said} tasks")
    total = said or count
    if total is None:
        wanted = array.count or array.last
        looked = f"; it looked for {wanted}" if wanted else ""
        raise SettingError(
            f"--shard auto: {array.scheduler} does not say how many tasks there are{looked}; "
            "give auto/N"
        )
    place, left = divmod(index - first, step)
    if left or not 0 <= place < total:
        raise SettingError(
            f"--shard auto: {array.index}={index} is not one of {total} tasks from {first} on"
            + (f" by {step}" if step != 1 else "")
        )
    return place + 1, total


def _count(array: Array, environment: Mapping[str, str], first: int, step: int) -> int | None:
    by_last = None
    if array.last in environment:
        by_last = (_number(environment, array.last) - first) // step + 1
    if array.count not in environment:
        return by_last
    count = _number(environment, array.count)
    if by_last is not None and by_last != count:  # --array=3,7
        raise SettingError(
            f"--shard auto: {array.count}={count}, but there are {by_last} indices from {first} to "
            f"{array.last}; give I/N"
        )
    return count


def _number(environment: Mapping[str, str], name: str | None) -> int:
    text = environment.get(name or "", "")
    if not text:
        raise SettingError(f"--shard auto looked for {name}, which is not set")
    if not _is_number(text):
        raise SettingError(f"--shard auto: {name} is {text!r}, not a number")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
