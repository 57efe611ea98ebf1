"""Folder: all files of the report of a run or of weights. Needs matplotlib."""

from functools import partial
from pathlib import Path

from pix2pix import weights
from pix2pix.errors import DataError, WeightsError
from pix2pix.files import write_bytes, write_error
from pix2pix.report import charts, grids, histograms, layers, run_page
from pix2pix.report import evaluation as of_photos
from pix2pix.report.paper import png
from pix2pix.report.plot import Draw, draw
from pix2pix.report.run_page import Report
from pix2pix.report.source import RunOrWeights, is_run
from pix2pix.train import history

FILES = (  # the page last: where it stands, the others do
    "layers.csv",
    "layers.png",
    "weights.png",
    "metrics.csv",
    "curves.png",
    "grids.png",
    "photos.csv",
    "photos.png",
    "index.html",
)


def check_destination(dest: Path, *, overwrite: bool) -> None:
    """Raise DataError when a report may not be written into the folder `dest`."""
    if is_run(dest):
        raise DataError("the folder of a run: the report would replace its metrics.csv")
    if dest.exists() and not dest.is_dir():
        raise DataError("a file, not a folder")
    there = [name for name in FILES if (dest / name).exists()]
    if there and not overwrite:
        raise DataError(f"holds {', '.join(there)}; --overwrite replaces them")


def build_report(
    source: RunOrWeights, evaluation: of_photos.Evaluation | None = None
) -> dict[str, bytes]:
    """Build the files of a report, by name, in the order of FILES; empty ones are left out.

    The same input gives the same bytes. Raises DataError for a metrics.csv that no run wrote,
    WeightsError for weights that cannot be read; a run's are only noted, it may be writing them.
    """
    report = Report(source.title, source.is_run, evaluation=evaluation)
    files: dict[str, bytes] = {}
    _weights(source, report, files)
    if source.metrics is not None:
        report.history = history.read(source.metrics)
        files["metrics.csv"] = report.history.text.encode()
    if source.config is not None:
        report.config = source.config.read_text(errors="replace")
    report.sheet = grids.sheet(source.grids, best=report.history.best, last=report.history.last)
    _draw(report, files)
    files["index.html"] = run_page.build_run_page(report).encode()
    return {name: files[name] for name in FILES if name in files}


def _weights(source: RunOrWeights, report: Report, files: dict[str, bytes]) -> None:
    """Describe the first weights that can be read, and take the headers of all."""
    for name, path in source.weights.items():
        try:
            if report.layers:
                report.headers[name] = weights.read_header(path)
                continue
            net, header = weights.load(path)
        except WeightsError as error:
            if not report.is_run:
                raise
            report.notes.append(str(error))
            continue
        report.headers[name] = header
        report.layers = layers.measure_layers(net)
        files["layers.csv"] = layers.to_csv(report.layers).encode()
        if report.layers:
            make: Draw = partial(charts.parameters, report.layers)
            report.drawn["layers"] = draw(make, "Parameters by layer, and their concentration")
        if counted := layers.histograms(net):
            make = partial(histograms.weights, counted)
            report.drawn["weights"] = draw(make, "Histograms of the weights")


def _draw(report: Report, files: dict[str, bytes]) -> None:
    """Draw what is there beside the weights, and lay out all pictures as files."""
    make: Draw
    if report.history.series:
        make = partial(charts.curves, report.history)
        report.drawn["curves"] = draw(make, "Curves over the steps")
    if (evaluation := report.evaluation) is not None:
        files["photos.csv"] = of_photos.to_csv(evaluation).encode()
        make = partial(histograms.photos, evaluation)
        report.drawn["photos"] = draw(make, "Histograms over the photos")
    if report.sheet is not None:
        files["grids.png"] = png(report.sheet)
    files.update({f"{name}.png": one.png for name, one in report.drawn.items()})


def write_report(files: dict[str, bytes], dest: Path) -> None:
    """Write a report's files into the folder `dest`, each whole or not at all, the page last.

    What an earlier report left and this one has not is removed, so that all files there are of one
    report. Raises NoSpace and NotPermitted.
    """
    try:
        dest.mkdir(parents=True, exist_ok=True)
        for name in FILES[::-1]:
            if name not in files:
                (dest / name).unlink(missing_ok=True)
    except OSError as error:
        raise write_error(error) from error
    for name in FILES:
        if name in files:
            write_bytes(files[name], dest / name)
