"""The commands `pix2pix prune` and `gates`, which __main__.py registers, and `export --int8`.

Only typer is imported up here, so that `pix2pix --help` stays quick.
"""

import json
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pix2pix.cli import packages
from pix2pix.cli.console import reported
from pix2pix.cli.options import Engine
from pix2pix.errors import DataError, ExportError, WeightsError
from pix2pix.terminal import escape, put

if TYPE_CHECKING:
    from pix2pix.nets.build import Config
    from pix2pix.weights.header import Header

_Data = Annotated[str, typer.Option("--data", metavar="PHOTOS", help="A folder of color photos.")]


def export_int8(weights: str, dest: str, data: str | None, *, overwrite: bool, force: bool) -> str:
    """Write weights as an ONNX file in 8 bits, and say what became of the colors -> its path.

    Weights that are an .onnx file, or bundled with one, are taken as that.
    Raises ExportError, DataError, WeightsError and OSError.
    """
    from pix2pix.colorize.compress.int8 import quantize
    from pix2pix.colorize.compress.photos import read_photos
    from pix2pix.colorize.engines.export import export_onnx
    from pix2pix.weights.header import find_exported

    if data is None:
        raise typer.BadParameter("--int8 needs --data PHOTOS, color photos to measure on")
    if Path(dest).exists() and not overwrite:
        raise ExportError("this file exists; give another name, or --overwrite")
    photos, held_out = read_photos(data)
    with tempfile.TemporaryDirectory() as folder:
        whole = None if weights.endswith(".safetensors") else find_exported(weights)
        if whole is None:
            whole = export_onnx(weights, Path(folder) / "whole.onnx").path
        done = quantize(whole, dest, photos, held_out, force=force)
    before, after = done.sizes
    put(f"{after / 1e6:.1f} MB, {before / 1e6:.1f} before")
    slow, quick = done.times
    put(f"a pass: {quick:.1f} ms, {slow:.1f} before (CPU time, one thread, here)")
    count, whole_count = done.convolutions
    put(f"{count} of {whole_count} convolutions in 8 bits, saturation x {done.saturation:.3f}")
    for line in done.gates.lines():
        put(line)
    if not done.kept:
        raise ExportError("its colors are not the original's: not kept; --force keeps it")
    return dest


def prune(
    weights: Annotated[str, typer.Argument(metavar="WEIGHTS", help="As for --weights.")],
    dest: Annotated[str, typer.Argument(metavar="DEST", help="The .safetensors file to write.")],
    data: _Data,
    keep: Annotated[
        float, typer.Option(help="Share of the channels to keep; 1 drops those without effect.")
    ] = 0.7,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Take the channels that matter least out of a net; then it is to be trained on.

    Prints size, time and the gates (see `pix2pix gates`), and the command that trains it on.
    """
    packages.need("torch_pruning", "pruning", "train")
    from pix2pix import weights as files
    from pix2pix.colorize.colorizer import Colorizer
    from pix2pix.colorize.compress import gates, photos
    from pix2pix.colorize.compress.costs import flops_of, parameters_of
    from pix2pix.colorize.compress.prune import prune

    if not 0 < keep <= 1:
        raise typer.BadParameter(f"--keep {keep}: a share, above 0 and up to 1")
    with reported(dest, ExportError, OSError, code="export"), reported(weights, WeightsError):
        if Path(dest).exists() and not overwrite:
            raise ExportError("this file exists; give another name, or --overwrite")
        net, header = files.load(weights, task="color")
        with reported(data, DataError):
            some, others = photos.read_photos(data)
        smaller, narrow = prune(net, header, some, keep=keep)
        models = Colorizer(net, header), Colorizer(smaller, narrow)
        inputs = photos.inputs_of(models[0], some[:1])[0]["source"]
        times = gates.pass_times([model.engine for model in models], inputs)
        with reported(data, DataError):
            compared = gates.compare(*models, others)
        files.save(dest, smaller, narrow)
    for name, (before, after) in {
        "parameters": [f"{parameters_of(x) / 1e6:.2f} M" for x in (net, smaller)],
        "operations a pass": [f"{flops_of(x, inputs) / 1e9:.2f} GFLOP" for x in (net, smaller)],
        "CPU time a pass, one thread, here": [f"{ms:.1f} ms" for ms in times],
    }.items():
        put(f"{name}: {after}, {before} before")
    for line in compared.lines():
        put(line)
    put("train it on: " + escape(train_command(narrow, dest)))
    print(dest)


def train_command(header: "Header", path: str) -> str:
    """The command that trains weights on, by their recipe and with the net that they are of."""
    from pix2pix import recipes

    recipe = header.recipe if header.recipe in recipes.names() else "unet_l1"
    settings = [f"recipe={recipe}", *_of_generator(header.generator), f"trainer.init_from={path}"]
    return shlex.join(["pix2pix", "train", *settings, "data.path=PHOTOS", "run_dir=RUN"])


def _of_generator(config: "Config") -> list[str]:
    """The settings of training that make a net: the generator next to it, and what differs."""
    from pix2pix import recipes
    from pix2pix.nets.build import GENERATORS, parameters

    defaults = {key: p.default for key, p in parameters(GENERATORS[config["net"]]).items()}

    def differing(name: str) -> list[str]:
        known = {**defaults, **recipes.read_generator(name)}
        return [
            f"recipe.generator.{key}={_as_setting(config[key])}"
            for key in sorted(config)
            if _as_setting(config[key]) != _as_setting(known.get(key))
        ]

    own = [n for n in recipes.generators() if recipes.read_generator(n)["net"] == config["net"]]
    name, settings = min(((n, differing(n)) for n in own), key=lambda found: len(found[1]))
    return [f"recipe/generator={name}", *settings]


def _as_setting(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value).replace(" ", "")


def gates(
    original: Annotated[str, typer.Argument(metavar="WEIGHTS", help="As for --weights.")],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="A smaller form of it.")],
    data: _Data,
    engine: Engine = "auto",
) -> None:
    """Compare the colors of a compressed net with those of the original, on photos.

    Mean chroma within 1 %, mean CIEDE2000 at most 0.5, PSNR within 0.1 dB: PSNR alone does not see
    a net that dulls colors. The exit status is 1 if any of them fails. `--engine` runs OTHER, which
    may be WEIGHTS, too; the original is run in float32.
    """
    from pix2pix.colorize.colorizer import Colorizer
    from pix2pix.colorize.compress.gates import compare
    from pix2pix.colorize.compress.photos import read_photos

    with reported(original, WeightsError):
        exact = "onnx" if original.endswith(".onnx") else "torch"
        first = Colorizer.from_pretrained(original, device="cpu", engine=exact)
    with reported(other, WeightsError):
        second = Colorizer.from_pretrained(other, device="cpu", engine=engine)
    with reported(data, DataError):
        found = compare(first, second, read_photos(data)[1])
    for line in found.lines():
        put(line)
    if not found.passed:
        raise typer.Exit(1)
