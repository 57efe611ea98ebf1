"""Options: what several commands share, in the command line's own words.

Only typer is imported up here, as in cli.py.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from pix2pix.console import print_lines
from pix2pix.errors import one_line

if TYPE_CHECKING:
    from pix2pix.colorize import Colorizer
    from pix2pix.jobs import Record

Weights = Annotated[
    str, typer.Option(metavar="W", help="default, pix2pix, a .safetensors file, or a Hub repo id.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")]


def load_model(weights: str, device: str) -> "Colorizer":
    """The model, or one line on stderr and exit status 1."""
    from pix2pix.colorize import Colorizer
    from pix2pix.jobs import Record

    try:
        return Colorizer.from_pretrained(weights, device=device)
    except ValueError as error:  # WeightsError, or a head that is not ab
        reason = str(error).removeprefix(f"{weights}: ")
        raise stop(Record(weights, "failed", code="weights", reason=reason)) from error
    except (RuntimeError, AssertionError) as error:  # torch without that device
        raise stop(Record(device, "failed", code="device", reason=one_line(error))) from error


def stop(record: "Record") -> typer.Exit:
    """Print what failed; raise what this returns."""
    print_lines(record)
    return typer.Exit(1)
