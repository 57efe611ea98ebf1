"""Where pictures come from: `manifest.csv`, a table in their folder (UTF-8, RFC 4180).

A picture that was fetched alone has a line of its own. Pictures that came in an archive share the
line of that archive: where it is from and under which terms holds for all of them.
"""

import contextlib
import csv
import io
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

NAME = "manifest.csv"


@dataclass(frozen=True)
class Entry:
    """One line: a file in the folder, or the archive that the folder was unpacked from."""

    file: str
    title: str
    place: str
    date: str  # as its owner writes it: "1890", "between 1890 and 1900"
    origin: str  # the address it was fetched from
    rights: str
    sha256: str  # of the file, in hexadecimal digits


_HEADER = [field.name for field in fields(Entry)]


def table(entries: Iterable[Entry]) -> str:
    """The whole table as text, with its header."""
    return _lines([_HEADER, *map(astuple, entries)])


def append(path: Path, entry: Entry) -> None:
    """Add a line to a table that is there."""
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(_lines([astuple(entry)]))


def read(path: Path) -> list[Entry]:
    """The entries of a table; none without one. What a killed process wrote half is left out."""
    found = []
    with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            if len(row) == len(_HEADER) and re.fullmatch("[0-9a-f]{64}", row[-1]):
                found.append(Entry(*row))
    return found


def is_one(path: Path) -> bool:
    """Whether a file begins as a manifest does."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file), None) == _HEADER
    except (OSError, ValueError):
        return False


def _lines(rows: Iterable[Iterable[str]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()
