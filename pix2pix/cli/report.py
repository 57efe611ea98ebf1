"""The command `pix2pix report`; __main__.py registers it.

Only typer is imported up here, so that `pix2pix --help` stays quick.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from pix2pix.cli.console import finish, import_drawing, load_model, reported, write_file
from pix2pix.cli.options import Device
from pix2pix.errors import DataError, Failure

if TYPE_CHECKING:
    from pix2pix.colorize.colorizer import Colorizer
    from pix2pix.evaluate.result import Skipped


def report(
    more: Annotated[
        list[str] | None,
        Argument(
            metavar="[RUN_OR_WEIGHTS DEST]",
            help="A run's folder, or weights, and the folder of the report; with --sheet further "
            "weights.",
        ),
    ] = None,
    blind: Annotated[
        str | None,
        Option(metavar="PHOTOS", help="A page that asks which of two is the real photo."),
    ] = None,
    sheet: Annotated[
        str | None, Option(metavar="PHOTOS", help="A picture: a row a photo, gray and colored.")
    ] = None,
    weights: Annotated[
        list[str] | None, Option(metavar="W", help="As for colorize; several for a sheet.")
    ] = None,
    out: Annotated[
        str | None, Option("-o", "--out", metavar="FILE", help="Write it there.")
    ] = None,
    seed: Annotated[int, Option(min=0, help="Of the blind page's order and sides.")] = 0,
    count: Annotated[
        int | None, Option(min=1, metavar="N", help="Photos of the blind page, drawn by --seed.")
    ] = None,
    alone: Annotated[
        bool, Option("--alone", help="The blind page shows one picture at a time: real or colored?")
    ] = False,
    device: Device = "auto",
    evaluation: Annotated[
        str | None, Option(metavar="FILE", help="What evaluate --json wrote: adds its photos.")
    ] = None,
    overwrite: Annotated[
        bool, Option("--overwrite", help="Replace the report that is in DEST.")
    ] = False,
) -> None:
    """Describe a run or weights in the folder DEST, or let people judge: --blind, --sheet.

    A report of a run has its curves and validation pictures, where its parameters are, and how its
    weights are spread: CSV, PNG and index.html. --blind writes an HTML page, a blind test on color
    photos that says which share of ours was taken for real; --sheet a PNG of any photos. All may
    hold your photos, and need no network.
    """
    if blind is None and (count is not None or alone):
        raise BadParameter("--count and --alone are for --blind PHOTOS")
    if blind is None and sheet is None:
        if weights or out is not None or more is None or len(more) != 2:
            raise BadParameter("give RUN_OR_WEIGHTS DEST, --blind PHOTOS or --sheet PHOTOS")
        _describe(more[0], more[1], evaluation, overwrite=overwrite)
        return
    if evaluation is not None or overwrite:
        raise BadParameter("--evaluation and --overwrite are for RUN_OR_WEIGHTS DEST")
    chosen = [*(weights or []), *(more or [])] or ["default"]
    if blind is not None and sheet is not None:
        raise BadParameter("give --blind PHOTOS or --sheet PHOTOS")
    if out is None:
        raise BadParameter("give -o FILE")
    if blind is not None and len(chosen) > 1:
        raise BadParameter("--blind takes one model")
    models = {source: load_model(source, device) for source in chosen}
    data, skipped = _judge(blind, sheet, models, seed=seed, count=count, alone=alone)
    write_file(lambda: data, out)
    finish(skipped)


def _judge(
    blind: str | None,
    sheet: str | None,
    models: "dict[str, Colorizer]",
    *,
    seed: int,
    count: int | None,
    alone: bool,
) -> "tuple[bytes, list[Skipped]]":
    """The blind page or the sheet and the photos that it lacks, or end in one line."""
    from pix2pix.report.blind import build_blind_test
    from pix2pix.report.sheet import build_sheet

    skipped: list[Skipped] = []
    with reported(blind or sheet, DataError):
        if blind is not None:
            (model,) = models.values()
            page = build_blind_test(blind, model, skipped, seed=seed, count=count, alone=alone)
            return page.encode(), skipped
        return build_sheet(sheet or "", models, skipped), skipped


def _describe(source: str, dest: str, evaluation: str | None, *, overwrite: bool) -> None:
    """Write the report of a run or of weights, or end in one line."""
    from pix2pix.report.evaluation import read_evaluation
    from pix2pix.report.source import find_run_or_weights

    folder = import_drawing("pix2pix.report.folder", dest)
    kinds = (Failure, OSError)
    with reported(dest, OSError), reported(dest, DataError, code="exists"):
        folder.check_destination(Path(dest), overwrite=overwrite)
    with reported(evaluation, *kinds):
        photos = None if evaluation is None else read_evaluation(evaluation)
    with reported(source, *kinds):
        files = folder.build_report(find_run_or_weights(source), photos)
    with reported(dest, *kinds):
        folder.write_report(files, Path(dest))
