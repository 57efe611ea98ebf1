"""The command `pix2pix convert`; __main__.py registers it.

Only typer is imported up here, so that `pix2pix --help` stays quick.
"""

from typing import Annotated

import typer

from pix2pix.cli.console import reported
from pix2pix.errors import WeightsError
from pix2pix.terminal import escape, put
from pix2pix.weights.foreign.layouts import RECIPES


def convert(
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A .pth, .pt or .safetensors file.")
    ],
    recipe: Annotated[
        str, typer.Option(metavar="NAME", help=f"What trains such a net: {' or '.join(RECIPES)}.")
    ],
    out: Annotated[
        str | None,
        typer.Option("-o", "--out", metavar="OUT", help="Beside FILE by default."),
    ] = None,
    ab_scale: Annotated[
        int | None,
        typer.Option(metavar="110|128", help="What ab was divided by; by default as known."),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Write float16: half the bytes.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Turn a checkpoint of another project into weights that --weights takes.

    Known are the generators of the notebook that the course grew from, of pix2pix tutorials that
    follow moein-shariatnia's, and of Colorizer. Nothing in FILE is executed. Prints which tensor
    went where; one that is missing or left over is an error.
    """
    from pix2pix.weights.foreign.mapping import convert_checkpoint

    try:
        with reported(source, WeightsError):
            done = convert_checkpoint(
                source, out, recipe=recipe, ab_scale=ab_scale, half=half, overwrite=overwrite
            )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    wide = [max(len(row[column]) for row in done.rows) for column in (0, 1)]
    for theirs, ours, shape in done.rows:
        put(escape(f"{theirs:{wide[0]}} -> {ours:{wide[1]}}  {shape}"))
    header, kind = done.header, str(done.dtype).removeprefix("torch.")
    put(f"{len(done.rows)} tensors, {done.parameters:,} parameters, {kind}")
    put(f"{done.layout.name}; head {header.head}, ab / {header.ab_scale:g}")
    if done.beside:
        put(f"left out: {len(done.beside)} tensors, such as {escape(done.beside[0])}")
    put(str(done.path))
