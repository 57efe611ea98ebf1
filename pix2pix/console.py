"""What a run over photos says: lines for people, JSON for programs, and the exit status."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pix2pix.jobs import Record
    from pix2pix.tally import Tally

_GROUPED = ("ignored", "colored")  # whose reasons are counted, too
_SHOWN = 3  # names of a kind in the summary


def print_records(
    records: Iterable["Record"],
    *,
    as_json: bool = False,
    total: int | None = None,
    summary: bool = True,
    tallies: Mapping[str, "Tally"],
    inputs: Sequence[str],
) -> int:
    """Print the records as they come and, with `summary`, the counts at last; the exit status.

    `tallies` says what was passed over in the `inputs`, once the records have come. On a terminal
    a bar shows how many of the `total` are done.
    """
    from tqdm import tqdm

    bar = summary and sys.stderr.isatty()
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
    if not counts["failed"]:
        return 0
    return 2 if counts["colored"] or counts["skipped"] else 1


def _print_passed_over(tallies: Mapping[str, "Tally"], *, as_json: bool) -> None:
    """Name what in each input was no photo, and the inputs that held none."""
    from pix2pix.jobs import Record

    for path, tally in tallies.items():
        said = ["nothing to color, no photo in it"] if tally.empty else []
        if reason := tally.passed_over():
            said.append(f"passed over: {reason}")
        line = "; ".join(said)
        if as_json:
            print(as_line(Record(path, "passed_over", reason=line)), flush=True)
        print(escape(f"{path}: {line}"), file=sys.stderr)


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


def escape(text: str) -> str:
    """One line that shows what it is: control characters, RTL overrides and odd bytes as \\x1b."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def as_line(record: "Record") -> str:
    """A record as one line of JSON, without what it does not say."""
    return json.dumps({k: v for k, v in asdict(record).items() if v is not None})
