"""What a run over photos says: lines for people, JSON for programs, and the exit status."""

import importlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from types import ModuleType
from typing import TYPE_CHECKING

import typer

from pix2pix.errors import PhotoError
from pix2pix.terminal import escape

if TYPE_CHECKING:
    from pix2pix.evaluate.result import Skipped
    from pix2pix.jobs import Record
    from pix2pix.tally import Tally

_GROUPED = ("ignored", "colored")  # whose reasons are counted, too
_SHOWN = 3  # names of a kind in the summary


def print_records(
    records: Iterable["Record"],
    *,
    as_json: bool,
    bar: bool,
    total: int | None,
    summary: bool,
    tallies: Mapping[str, "Tally"],
    inputs: Sequence[str],
) -> int:
    """Print the records as they come and the counts at last; the exit status.

    `tallies` says what was passed over in the `inputs`, once the records have come.
    """
    from tqdm import tqdm

    counts: Counter[str] = Counter()
    ignored: dict[str, list[str]] = {}  # reason: the first names
    stopped = False
    try:
        with tqdm(total=total, unit="photo", disable=not bar, file=sys.stderr) as progress:
            for record in records:
                counts[record.status] += 1
                if record.reason and record.status in _GROUPED:
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
    nothing = not counts and all(path in tallies and tallies[path].empty for path in inputs)
    if summary:
        _print_passed_over(tallies, as_json=as_json)
        if not nothing or stopped:
            _print_counts(counts, ignored)
    if stopped:
        return 130
    if nothing:
        return 1
    return 0 if not counts["failed"] else 2 if counts["colored"] or counts["skipped"] else 1


def _print_passed_over(tallies: Mapping[str, "Tally"], *, as_json: bool) -> None:
    """Name what in each input was no photo, and the inputs that held none."""
    from pix2pix.jobs import Record

    for path, tally in tallies.items():
        nothing, reason = "nothing to color, no photo in it" * tally.empty, tally.passed_over()
        said = "; ".join(filter(None, [nothing, reason and f"passed over: {reason}"]))
        if as_json:
            print(as_line(Record(path, "passed_over", reason=said)), flush=True)
        print(escape(f"{path}: {said}"), file=sys.stderr)


def _print_counts(counts: Counter[str], ignored: Mapping[str, list[str]]) -> None:
    colored, skipped, failed = (counts[k] for k in ("colored", "skipped", "failed"))
    line = f"{colored} colored, {skipped} skipped (already there), {failed} failed"
    if counts["ignored"]:
        line += f", {counts['ignored']} ignored"
    print(line, file=sys.stderr)
    for key, count in counts.items():
        if key.startswith("colored: made anew"):
            print(f"{count} {key.removeprefix('colored: ')}", file=sys.stderr)
    for reason, names in ignored.items():
        more = counts[f"ignored: {reason}"] - len(names)
        shown = ", ".join(map(escape, names)) + f" and {more:,} more" * (more > 0)
        print(f"ignored, {reason}: {shown}", file=sys.stderr)


def print_lines(record: "Record") -> None:
    """Print what a person should know, one line each on stderr."""
    from tqdm import tqdm

    lines = [f"warning: {text}" for text in record.warnings]
    if record.status == "failed":
        lines.append(f"{record.code}: {record.reason}")
    for line in lines:
        tqdm.write(escape(f"{record.path}: {line}"), file=sys.stderr)


def as_line(record: "Record") -> str:
    """A record as one line of JSON, without what it does not say."""
    return json.dumps({k: v for k, v in asdict(record).items() if v is not None})


def finish(failures: Iterable["Skipped"]) -> None:
    """Name what failed; exit status 2 when something did."""
    from pix2pix.jobs import Record

    records = [Record(**failure, status="failed") for failure in failures]
    for record in records:
        print_lines(record)
    raise typer.Exit(2 if records else 0)


def write_file(make: Callable[[], bytes], path: str) -> None:
    """Make a file and put it there, or end in one line."""
    from pix2pix.files import write_bytes
    from pix2pix.jobs import failure

    try:
        write_bytes(make(), path)
    except PhotoError as error:
        print_lines(failure(path, error))
        raise typer.Exit(1) from error


def import_drawing(module: str, path: str) -> ModuleType:
    """Import a module that draws what goes to `path`, before the work begins, or end in one line.

    It needs matplotlib, which may be missing.
    """
    from pix2pix.jobs import Record

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        reason = f"the page needs matplotlib, `pip install matplotlib`: {error}"
        print_lines(Record(path, "failed", code="package", reason=reason))
        raise typer.Exit(1) from error
