"""Program: `pix2pix train` as Hydra runs it, and the one line that it ends in when it cannot."""

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec

import torch

from pix2pix.errors import one_line
from pix2pix.processes import is_first
from pix2pix.terminal import escape, put


def refuse(why: str) -> int:
    """Say in one line why there is no run; the exit status."""
    put(f"pix2pix train: {escape(' '.join(why.splitlines()))}", sys.stderr)
    return 1


def reason(error: Exception) -> str:
    """Why a run ended, as a person would be told."""
    if isinstance(error, torch.OutOfMemoryError):
        return f"{one_line(error)}; a smaller trainer.batch or a larger trainer.accumulate helps"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if type(error).__module__.startswith("omegaconf"):
        from pix2pix.overrides import explain

        return explain(error)
    return str(error) or type(error).__name__


def call(compose: Callable[[], None], overrides: list[str], *, program: str) -> int:
    """Let Hydra run `compose` with these overrides; the exit status, which is 130 after Ctrl-C.

    `program` is the file that Hydra takes to be running. What it cannot read or compose is one
    line, but for HYDRA_FULL_ERROR=1.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from pix2pix.overrides import explain

    main = sys.modules["__main__"]
    before = sys.argv, main.__spec__
    full = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra prints its errors, in many lines, and exits
    sys.argv = [program, *overrides]
    if main.__spec__ is None:
        # data-parallel runs start their other processes as `python -m` of what this names
        main.__spec__ = find_spec("pix2pix.train")
    try:
        compose()
        return 0
    except SystemExit as stop:
        return 143 if stop.code == 143 else int(bool(stop.code))  # argparse's 2 is 1 here
    except (HydraException, OmegaConfBaseException) as error:
        if full:
            raise
        return refuse(explain(error)) if is_first() else 1
    except KeyboardInterrupt:
        return 130
    finally:
        sys.argv, main.__spec__ = before
        os.environ.pop("HYDRA_FULL_ERROR")
        if full is not None:
            os.environ["HYDRA_FULL_ERROR"] = full
