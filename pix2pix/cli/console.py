"""Console: what the commands say, as lines for people and JSON, their exit status, and options.

Of libraries only typer is imported up here, as in __main__.py.
"""

import importlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

import typer

from pix2pix.cli import packages
from pix2pix.errors import PhotoError
from pix2pix.terminal import escape

if TYPE_CHECKING:
    from pix2pix.colorize.colorizer import Colorizer
    from pix2pix.colorize.jobs import Record
    from pix2pix.colorize.model import PictureModel
    from pix2pix.colorize.tally import Tally
    from pix2pix.colorize.translator import Translator
    from pix2pix.evaluate.result import Skipped
    from pix2pix.images.task import Task


Model = TypeVar("Model", bound="PictureModel")
_SHOWN = 3  # names of a kind in the summary
_AGAIN = "again"  # beside the statuses of records: failures that another run may not meet


def print_records(
    records: Iterable["Record"],
    *,
    task: "Task",
    as_json: bool = False,
    total: int | None = None,
    summary: bool = True,
    bar: bool = True,
    part: bool = False,
    tallies: Mapping[str, "Tally"],
    inputs: Sequence[str],
) -> int:
    """Print records as they come and, with `summary`, their counts -> the exit status.

    `tallies` says what was passed over in the `inputs`, once the records have come. On a terminal
    a bar shows how many of the `total` are done, unless `bar` is false. Of a `part` of a run with
    failures the status is 2 where all photos that can be found were tried, even if none could be
    colored, and 1 where another try may do more, so that a job array repeats that alone.
    """
    from tqdm import tqdm

    bar = bar and summary and sys.stderr.isatty()
    counts: Counter[str] = Counter()
    ignored: dict[str, list[str]] = {}  # reason: the first names
    stopped = False
    try:
        with tqdm(total=total, unit="photo", disable=not bar, file=sys.stderr) as progress:
            for record in records:
                counts[record.status] += 1
                counts[_AGAIN] += bool(record.again)
                if record.reason and record.status in ("ignored", task.done):
                    counts[f"{record.status}: {record.reason}"] += 1
                if record.status == "ignored" and len(ignored) < _SHOWN:
                    names = ignored.setdefault(record.reason or "", [])
                    names += [record.path] * (len(names) < _SHOWN)
                progress.update()
                if as_json:
                    print(as_line(record), flush=True)
                print_lines(record)
    except KeyboardInterrupt:
        stopped = True
    nothing = not counts.total() and all(path in tallies and tallies[path].empty for path in inputs)
    if summary:
        _print_passed_over(tallies, task, as_json=as_json)
        if not nothing or stopped:
            _print_counts(counts, ignored, task)
    if stopped:
        return 130
    if nothing:
        return 1
    if not counts["failed"]:
        return 0
    if part:
        return 1 if counts[_AGAIN] else 2
    return 2 if counts[task.done] or counts["skipped"] else 1


def _print_passed_over(tallies: Mapping[str, "Tally"], task: "Task", *, as_json: bool) -> None:
    """Print what was passed over in each input, and which inputs held no photo."""
    from pix2pix.colorize.jobs import Record

    for path, tally in tallies.items():
        said = [f"nothing to {task.name}, no photo in it"] if tally.empty else []
        if reason := tally.passed_over():
            said.append(f"passed over: {reason}")
        line = "; ".join(said)
        if as_json:
            print(as_line(Record(path, "passed_over", reason=line)), flush=True)
        print(escape(f"{path}: {line}"), file=sys.stderr)


def _print_counts(counts: Counter[str], ignored: Mapping[str, list[str]], task: "Task") -> None:
    done, skipped, failed = (counts[k] for k in (task.done, "skipped", "failed"))
    line = f"{done} {task.done}, {skipped} skipped (already there), {failed} failed"
    if counts["ignored"]:
        line += f", {counts['ignored']} ignored"
    print(line, file=sys.stderr)
    for key, count in counts.items():
        if key.startswith(f"{task.done}: made anew"):
            print(f"{count} {key.removeprefix(f'{task.done}: ')}", file=sys.stderr)
    for reason, names in ignored.items():
        more = counts[f"ignored: {reason}"] - len(names)
        shown = ", ".join(map(escape, names)) + f" and {more:,} more" * (more > 0)
        print(f"ignored, {reason}: {shown}", file=sys.stderr)


def print_lines(record: "Record") -> None:
    """Print the warnings and the failure of a record, one line each on stderr."""
    from tqdm import tqdm

    lines = [f"warning: {text}" for text in record.warnings]
    if record.status == "failed":
        lines.append(f"{record.code}: {record.reason}")
    for line in lines:
        tqdm.write(escape(f"{record.path}: {line}"), file=sys.stderr)


def as_line(record: "Record") -> str:
    """A record as one line of JSON, without fields that are None."""
    return json.dumps({k: v for k, v in asdict(record).items() if v is not None})


@contextmanager
def reported(about: str | None, *kinds: type[Exception], code: str | None = None) -> Iterator[None]:
    """Within, errors of these kinds end the command: a line `about: code: reason`, exit status 1.

    Without `about` it is what the error names; `code` goes before the error's own.
    """
    from pix2pix.colorize.jobs import failure

    try:
        yield
    except typer.Exit:  # a RuntimeError, too
        raise
    except kinds as error:
        raise stop(failure(about, error, code=code)) from error


def stop(record: "Record") -> typer.Exit:
    """Print a failure -> the exception to raise, exit status 1."""
    print_lines(record)
    return typer.Exit(1)


def load_model(weights: str, device: str, engine: str = "auto") -> "Colorizer":
    """Load a model that colors, or end the command in one line."""
    from pix2pix.colorize.colorizer import Colorizer

    return _loaded(Colorizer, weights, device, engine)


def load_translator(weights: str, device: str, engine: str = "auto") -> "Translator":
    """Load a model that translates, or end the command in one line."""
    from pix2pix.colorize.translator import Translator

    return _loaded(Translator, weights, device, engine)


def _loaded(kind: type[Model], weights: str, device: str, engine: str) -> Model:
    with (
        reported(device, RuntimeError, AssertionError, code="device"),  # torch without that device
        reported(weights, ValueError, code="weights"),  # WeightsError, or a net of another kind
    ):
        return kind.from_pretrained(weights, device=device, engine=engine)


def write_file(make: Callable[[], bytes], path: str) -> None:
    """Write a file, or end the command in one line."""
    from pix2pix.files import write_bytes

    with reported(path, PhotoError):
        write_bytes(make(), path, special=True)


def import_drawing(module: str, path: str) -> ModuleType:
    """Import a module that draws, or end the command in one line about `path`."""
    from pix2pix.colorize.jobs import Record

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        reason = packages.line(error, "report")
        if reason is None:
            raise
        raise stop(Record(path, "failed", code="package", reason=reason)) from error


def finish(skipped: Iterable["Skipped"]) -> None:
    """Print the photos that were skipped; exit status 2 when there are any."""
    from pix2pix.colorize.jobs import Record

    records = [Record(**one, status="failed") for one in skipped]
    for record in records:
        print_lines(record)
    raise typer.Exit(2 if records else 0)
