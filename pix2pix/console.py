"""What a run over photos says: lines for people, JSON for programs, and the exit status."""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pix2pix.jobs import Record


def print_records(
    records: Iterable["Record"], *, as_json: bool, bar: bool, total: int | None, summary: bool
) -> int:
    """Print the records as they come and the counts at last; the exit status."""
    from tqdm import tqdm

    counts: Counter[str] = Counter()
    stopped = False
    try:
        with tqdm(total=total, unit="photo", disable=not bar, file=sys.stderr) as progress:
            for record in records:
                counts[record.status] += 1
                progress.update()
                if as_json:
                    print(as_line(record), flush=True)
                print_lines(record)
    except KeyboardInterrupt:
        stopped = True
    colored, skipped, failed = (counts[k] for k in ("colored", "skipped", "failed"))
    if summary:
        ignored = f", {counts['ignored']} ignored" if counts["ignored"] else ""
        print(
            f"{colored} colored, {skipped} skipped (already there), {failed} failed{ignored}",
            file=sys.stderr,
        )
    if stopped:
        return 130
    return 0 if not failed else 2 if colored or skipped else 1


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
    return "".join(
        c
        if c.isprintable()
        else f"\\x{ord(c) - 0xDC00:02x}"  # a byte that is no UTF-8
        if "\udc80" <= c <= "\udcff"
        else c.encode("unicode_escape").decode()
        for c in text
    )


def as_line(record: "Record") -> str:
    """A record as one line of JSON, without what it does not say."""
    return json.dumps({k: v for k, v in asdict(record).items() if v is not None})
