"""Outputs of earlier runs: which are up to date, and which to make anew."""

import os
import stat
from typing import Literal

State = Literal["none", "empty", "older", "good"]

REDONE = {
    "empty": "made anew: the output was empty",
    "older": "made anew: the output was older than the photo",
}
# Steps [ns] in which file systems keep times: FAT 2 s, HFS+ and ext3 1 s, exFAT 10 ms, Windows
# 100 ns, some network drives 1 us.
_STEPS = (2_000_000_000, 1_000_000_000, 10_000_000, 1_000, 100)


def status(path: str) -> os.stat_result | None:
    """The `os.stat` of a file, links followed, or None where there is none."""
    try:
        return os.stat(path)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None


def state(dest: str, source: os.stat_result | None) -> State:
    """Judge the file at `dest`, the output of a photo with the status `source`.

    Outputs get the time of their photo, as well as the drive can keep it, so one that is older is
    that of an earlier photo of this name. A photo whose time went back is not noticed.
    """
    output = status(dest)
    if output is None or not stat.S_ISREG(output.st_mode):
        return "none"
    if output.st_size == 0:
        return "empty"
    if source is None or output.st_mtime_ns >= source.st_mtime_ns:
        return "good"
    rounded = any(source.st_mtime_ns // step * step == output.st_mtime_ns for step in _STEPS)
    return "good" if rounded else "older"
