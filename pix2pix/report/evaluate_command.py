"""The commands `pix2pix evaluate` and `pix2pix report`; cli.py registers them.

Only typer is imported up here, so that `pix2pix --help` stays quick.
"""

import importlib
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pix2pix.console import print_lines
from pix2pix.errors import DataError, PhotoError
from pix2pix.options import Device, load_model, stop
from pix2pix.spelling import encoding_of, put


def evaluate(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A folder of color photos.")],
    weights: Annotated[
        str | None, typer.Option(metavar="W", help="As for colorize; default by default.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="SqueezeNet 1.1: Fréchet distance, share closed, KID."),
    ] = None,
    heads: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="LPIPS heads: LPIPS-like distance on --features."),
    ] = None,
    torchmetrics: Annotated[
        bool, typer.Option("--torchmetrics", help="Published LPIPS and FID; fetches their nets.")
    ] = False,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Two weights on the same photos, instead of --weights."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Score another tool's results there, by name."),
    ] = None,
    hints: Annotated[
        str | None,
        typer.Option(metavar="N,N", help="Gain by so many true colors told, such as 1,10,100."),
    ] = None,
    film: Annotated[
        bool, typer.Option("--film", help="PSNR lost when the photo comes as from old film.")
    ] = False,
    sizes: Annotated[
        bool, typer.Option("--sizes", help="How colors change when the input is scaled.")
    ] = False,
    takes: Annotated[
        bool, typer.Option("--takes", help="How three takes differ, and what each costs.")
    ] = False,
    saturations: Annotated[
        str | None,
        typer.Option(metavar="X,X", help="What so many times the chroma costs, such as 0.8,1.5."),
    ] = None,
    size: Annotated[int, typer.Option(min=16, help="Side of the center crops.")] = 256,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write all figures there.")
    ] = None,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write a page there; it holds your photos.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Compare a model with the true colors of DATA, beside gray and constant sepia.

    Means over the photos with 95 % bootstrap intervals: PSNR, SSIM, CIEDE2000 and colorfulness
    beside the truth's. --features and --heads, or --torchmetrics, add distances that pretrained
    nets measure. --hints, --film, --sizes, --takes and --saturations color the photos again under
    other conditions.
    """
    if heads is not None and features is None:
        raise typer.BadParameter("--heads needs --features")
    curves = {
        "hints": _counts(hints),
        "film": film,
        "sizes": sizes,
        "takes": takes,
        "saturations": _factors(saturations),
    }
    from pix2pix.report import format_table

    if compare is not None and weights is not None:
        raise typer.BadParameter("--compare takes the place of --weights")
    if compare is not None and any(curves.values()):
        named = ", ".join(f"--{curve}" for curve in curves)
        raise typer.BadParameter(f"{named} are for one model, not for --compare")
    build_page = None if html is None else _needs_matplotlib(html, "pix2pix.report.page").build
    first, second = compare or (weights or "default", None)
    models = [load_model(source, device) for source in (first, second) if source is not None]
    options = {
        "size": size,
        "features": features,
        "heads": heads,
        "torchmetrics": torchmetrics,
        "against": against,
        **curves,
    }
    result = _measure(data, models, options)
    try:
        if json_file is not None:
            text = json.dumps(_strict(result), indent=1, allow_nan=False) + "\n"
            _write(text.encode, json_file)
        if html is not None and build_page is not None:
            _write(lambda: build_page(result, models).encode(), html)
    finally:  # files first: a terminal can fail; and a full disk does not cost the table
        put(format_table(result, encoding=encoding_of(sys.stdout)))
    _finish(result["skipped"] + result.get("missing", []))


def _measure(data: str, models: list[Any], options: dict[str, Any]) -> dict[str, Any]:
    """Evaluate, or end in one line."""
    from pix2pix import jobs, report
    from pix2pix.report.yardsticks import YardstickError

    try:
        return report.evaluate(
            data, models[0], other=models[1] if len(models) > 1 else None, **options
        )
    except YardstickError as error:
        record = jobs.Record(error.source, "failed", code="weights", reason=error.reason)
        raise stop(record) from error
    except DataError as error:
        raise stop(jobs.Record(data, "failed", code="unreadable", reason=str(error))) from error
    except (PhotoError, OSError, RuntimeError) as error:  # such as a device out of memory
        raise stop(jobs.failure(data, error)) from error


def _strict(value: Any) -> Any:
    """The same for JSON, which has no NaN and no infinity: null."""
    if isinstance(value, dict):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_strict(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _needs_matplotlib(path: str, module: str) -> Any:
    """A module that draws what goes to `path`, asked for before the work begins."""
    from pix2pix.jobs import Record

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        reason = f"the page needs matplotlib, `pip install matplotlib`: {error}"
        raise stop(Record(path, "failed", code="package", reason=reason)) from error


def report(
    more: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN_OR_WEIGHTS DEST]",
            help="A run's folder, or weights, and the folder of the report; with --sheet further "
            "weights.",
        ),
    ] = None,
    blind: Annotated[
        str | None,
        typer.Option(metavar="PHOTOS", help="A page that asks which of two is the real photo."),
    ] = None,
    sheet: Annotated[
        str | None,
        typer.Option(metavar="PHOTOS", help="A picture: a row a photo, gray and colored."),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(metavar="W", help="As for colorize; several for a sheet."),
    ] = None,
    out: Annotated[
        str | None, typer.Option("-o", "--out", metavar="FILE", help="Write it there.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the blind page's order and sides.")] = 0,
    device: Device = "auto",
    evaluation: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="What evaluate --json wrote: adds its photos."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the report that is in DEST.")
    ] = False,
) -> None:
    """Describe a run or weights in the folder DEST, or let people judge: --blind, --sheet.

    A report of a run has its curves and validation pictures, where its parameters are, and how its
    weights are spread: CSV, PNG and index.html. --blind writes an HTML page, a blind test on color
    photos; --sheet a PNG of any photos. All may hold your photos, and need no network.
    """
    if blind is None and sheet is None:
        if weights or out is not None or more is None or len(more) != 2:
            raise typer.BadParameter("give RUN_OR_WEIGHTS DEST, --blind PHOTOS or --sheet PHOTOS")
        _describe(more[0], more[1], evaluation, overwrite=overwrite)
        return
    if evaluation is not None or overwrite:
        raise typer.BadParameter("--evaluation and --overwrite are for RUN_OR_WEIGHTS DEST")
    chosen = [*(weights or []), *(more or [])] or ["default"]
    if blind is not None and sheet is not None:
        raise typer.BadParameter("give --blind PHOTOS or --sheet PHOTOS")
    if out is None:
        raise typer.BadParameter("give -o FILE")
    if blind is not None and len(chosen) > 1:
        raise typer.BadParameter("--blind takes one model")
    models = {source: load_model(source, device) for source in chosen}
    data, skipped = _judge(blind, sheet, models, seed)
    _write(lambda: data, out)
    _finish(skipped)


def _judge(
    blind: str | None, sheet: str | None, models: dict[str, Any], seed: int
) -> tuple[bytes, list[dict[str, str]]]:
    """The blind page or the sheet and the photos that it lacks, or end in one line."""
    from pix2pix.jobs import Record
    from pix2pix.report import blind as blind_page
    from pix2pix.report import sheet as sheet_of

    skipped: list[dict[str, str]] = []
    try:
        if blind is not None:
            (model,) = models.values()
            return blind_page.build(blind, model, skipped, seed=seed).encode(), skipped
        return sheet_of.build(sheet or "", models, skipped), skipped
    except DataError as error:
        photos = blind or sheet or ""
        raise stop(Record(photos, "failed", code="unreadable", reason=str(error))) from error


def _describe(source: str, dest: str, evaluation: str | None, *, overwrite: bool) -> None:
    """Write the report of a run or of weights, or end in one line."""
    from pix2pix import jobs
    from pix2pix.report import evaluation as of_photos
    from pix2pix.report import source as sources

    folder = _needs_matplotlib(dest, "pix2pix.report.folder")
    about, code = dest, "exists"
    try:
        folder.check(Path(dest), overwrite=overwrite)
        about, code = evaluation or "", "unreadable"
        photos = None if evaluation is None else of_photos.read(evaluation)
        about = source
        files = folder.build(sources.find(source), photos)
        about = dest
        folder.write(files, Path(dest))
    except DataError as error:
        raise stop(jobs.Record(about, "failed", code=code, reason=str(error))) from error
    except ValueError as error:  # WeightsError
        reason = str(error).removeprefix(f"{source}: ")
        raise stop(jobs.Record(source, "failed", code="weights", reason=reason)) from error
    except (PhotoError, OSError) as error:
        raise stop(jobs.failure(about, error)) from error


def _counts(text: str | None) -> list[int]:
    """Parse "1,10,100" -> [1, 10, 100]."""
    from pix2pix.hints import MOST_HINTS

    parts = [] if text is None else text.split(",")
    if not all(part.strip().isdecimal() and 1 <= int(part) <= MOST_HINTS for part in parts):
        raise typer.BadParameter(f"--hints are counts of 1 to {MOST_HINTS} as 1,10,100, not {text}")
    return [int(part) for part in parts]


def _factors(text: str | None) -> list[float]:
    """Parse "0.8,1.5" -> [0.8, 1.5], to three decimals."""
    try:
        factors = [] if text is None else [round(float(part), 3) for part in text.split(",")]
    except ValueError:
        factors = [math.nan]
    if not all(0 <= factor <= 10 for factor in factors):
        raise typer.BadParameter(f"--saturations are factors of 0 to 10 as 0.8,1.5, not {text}")
    return factors


def _write(make: Callable[[], bytes], path: str) -> None:
    """Make a file and put it there, or end in one line."""
    from pix2pix import jobs
    from pix2pix.images.files import write_bytes

    try:
        write_bytes(make(), path)
    except PhotoError as error:
        raise stop(jobs.failure(path, error)) from error


def _finish(failed: list[dict[str, str]]) -> None:
    """Name what failed; exit status 2 when something did."""
    from pix2pix.jobs import Record

    for record in failed:
        path, code, reason = (record[key] for key in ("path", "code", "reason"))
        print_lines(Record(path, "failed", code=code, reason=reason))
    raise typer.Exit(2 if failed else 0)
