"""Manifest: what became of each photo of an archive, as a folder of parquet files.

A run adds parts, `part-TIME-RANDOM.parquet`, each put whole; none is ever changed, so that many
machines write into one manifest and a killed run loses the rows of a minute at most. A photo has a
new row where another thing became of it than its last row says, by `when`: `read` gives the last
of each.
"""

import glob
import math
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pix2pix.archives.addresses import shown
from pix2pix.archives.attempts import Missing
from pix2pix.archives.store import Store
from pix2pix.archives.stores import open_store
from pix2pix.colorize.jobs import Record, RunFailure
from pix2pix.errors import Corrupt, NotPermitted, PhotoError, one_line

if TYPE_CHECKING:
    import pyarrow

ROWS = 1000  # of a part, and
SECONDS = 60.0  # after which one is written, however few rows there are
_NUMBERS = ("seconds", "bytes_in", "bytes_out", "sha256_in", "sha256_out")
_WHAT = ("status", "output", "code", "reason", "sha256_in")  # became of a photo
_PREFIX, _ENDING = "part-", ".parquet"
_GOOD = 0  # in the place of a hash
_MOST = 2**30  # bytes of a part; ours have less than one thousandth of it


@dataclass(frozen=True)
class Row:
    """What became of one photo."""

    key: str
    """Its path below the input, or below the folder that several inputs have in common."""
    status: str
    """As of a Record: colored, skipped, failed or ignored."""
    output: str | None = None
    """Where its output is, below the output's root."""
    code: str | None = None
    reason: str | None = None
    warnings: list[str] = field(default_factory=list)
    seconds: float | None = None
    """From the first byte read to the last one written, waiting included."""
    bytes_in: int | None = None
    bytes_out: int | None = None
    sha256_in: str | None = None
    """Hexadecimal, of the bytes that were read."""
    sha256_out: str | None = None
    when: datetime = field(default_factory=lambda: datetime.now(UTC))


class Manifest:
    """Writes rows into a folder or URL; use it as a context manager, which writes what is left.

    `inputs` and `out` are the addresses of the run: keys and outputs are named below them.
    """

    def __init__(
        self,
        path: str,
        *,
        inputs: Iterable[str] = (),
        out: str | None = None,
        rows: int = ROWS,
        seconds: float = SECONDS,
    ):
        self.store = open_store(path)
        self.rows, self.seconds = rows, seconds
        self._inputs = _roots(inputs)
        self._outs = [_root(out)] if out else self._inputs
        self._known = _known(self.store)
        self._waiting: list[Row] = []
        self._written = -math.inf  # the first row at once: whether it can be is known early

    def knows(self, path: str) -> bool:
        """Whether the last row of the photo at a path or URL names its output, before this run."""
        return self._known.get(hash(below(path, self._inputs))) == _GOOD

    def add(self, record: Record) -> None:
        """Note a record; a part is written when there are many or the oldest has waited.

        One that says what the last row does, and one of no photo, are none.
        """
        if isinstance(record, RunFailure) or record.status == "skipped" and self.knows(record.path):
            return
        output = None if record.output is None else below(record.output, self._outs)
        numbers = {name: getattr(record, name, None) for name in _NUMBERS}
        row = Row(
            key=below(record.path, self._inputs),
            status=record.status,
            output=output,
            code=record.code,
            reason=record.reason and printable(record.reason),
            warnings=[printable(line) for line in record.warnings],
            **numbers,  # type: ignore[arg-type]
        )
        if self._known.get(hash(row.key)) == _what(asdict(row)):
            return
        self._waiting.append(row)
        if len(self._waiting) >= self.rows or time.monotonic() >= self._written + self.seconds:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait as a part. Raises PhotoError where it cannot be written."""
        if self._waiting:
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
            name = f"{_PREFIX}{stamp}-{secrets.token_hex(4)}{_ENDING}"
            rows, self._waiting = self._waiting, []
            try:
                if not self.store.put(name, encode(rows)):
                    raise NotPermitted("no file can be put there; is it a folder?")
            except PhotoError as error:
                error.path = self.store.root
                raise
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.flush()


def encode(rows: Sequence[Row]) -> bytes:
    """Rows -> the bytes of a parquet file."""
    import pyarrow
    from pyarrow import parquet

    sink = pyarrow.BufferOutputStream()
    table = pyarrow.Table.from_pylist([asdict(row) for row in rows], schema=schema())
    parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def schema() -> "pyarrow.Schema":
    """The columns of a manifest, as `Row` has them."""
    import pyarrow

    text, size = pyarrow.string(), pyarrow.int64()
    kinds = {
        "warnings": pyarrow.list_(text),
        "seconds": pyarrow.float64(),
        "bytes_in": size,
        "bytes_out": size,
        "when": pyarrow.timestamp("us", tz="UTC"),
    }
    return pyarrow.schema([(f.name, kinds.get(f.name, text)) for f in fields(Row)])


def read(path: str, columns: Sequence[str] | None = None) -> "pyarrow.Table":
    """Read a manifest: the last row of each key, in the order of the keys.

    `columns` leaves others out. Raises PhotoError for a part that cannot be read.
    """
    import pyarrow
    import pyarrow.compute

    wanted = None if columns is None else list(dict.fromkeys([*columns, "key", "when"]))
    parts = [part.select(wanted) if wanted else part for part in _parts(open_store(path))]
    table = pyarrow.concat_tables(parts) if parts else schema().empty_table()
    place = pyarrow.array(range(len(table)), pyarrow.int64())
    table = table.append_column("_place", place)
    order = [("key", "ascending"), ("when", "ascending"), ("_place", "ascending")]
    table = table.sort_by(order)
    keys = table["key"].combine_chunks()
    last = pyarrow.compute.not_equal(keys[:-1], keys[1:]).to_pylist() + [True] * (len(keys) > 0)
    table = table.filter(pyarrow.array(last, pyarrow.bool_()))
    return table.select(list(columns) if columns else [f.name for f in fields(Row)])


def below(path: str, roots: Iterable[str]) -> str:
    """The name of a path or URL below the longest of the roots it is in, or all of it."""
    path = printable(path.replace(os.sep, "/"))
    inside = [root for root in roots if path.startswith(f"{root}/")]
    if inside:
        return path[len(max(inside, key=len)) :].lstrip("/")
    return path.rpartition("/")[2] if path in roots else path


def printable(text: str) -> str:
    """The text with bytes of names that are no UTF-8 as `\\xff`, which a table can hold."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _roots(inputs: Iterable[str]) -> list[str]:
    """What keys are named below, if anything: two photos of a run never have one key."""
    roots = [_root(address) for address in inputs]
    if len(roots) > 1:
        parts = os.path.commonprefix([root.split("/") for root in roots])
        roots = [] if parts[1:] == [""] else ["/".join(parts)]  # s3://
    return [root for root in roots if root]


def _root(address: str) -> str:
    """What the paths below an address begin with: `scans/*.tif` -> `scans`."""
    while glob.escape(shown(address)) != shown(address) and "::" not in address:
        address = address.rpartition("/")[0]
    return printable(shown(address).replace(os.sep, "/")).rstrip("/")


def _known(store: Store) -> dict[int, int]:
    """The hash of each key -> `_GOOD` where its last row names an output, else its `_what`.

    No text of a row is kept: each shard has all rows of the others.
    """
    columns = [np.empty((3, 0), np.int64)]
    for part in _parts(store):
        times = part["when"].cast("int64").to_pylist()
        rows = part.select(["key", *_WHAT]).to_pylist()
        keys = [hash(row["key"]) for row in rows]
        whats = [_what(row) if row["output"] is None else _GOOD for row in rows]
        columns.append(np.array([keys, times, whats], np.int64))
    keys, times, whats = np.concatenate(columns, axis=1)
    order = np.argsort(times, kind="stable")  # of one key the last one stays, as in `read`
    return dict(zip(map(int, keys[order]), map(int, whats[order]), strict=True))


def _what(row: Mapping[str, Any]) -> int:
    """The hash of what became of a photo."""
    return hash(tuple(row[name] for name in _WHAT))


def _parts(store: Store) -> Iterator["pyarrow.Table"]:
    """The parts of a manifest, by their time."""
    import pyarrow
    from pyarrow import parquet

    try:
        names = sorted(entry.key for entry in store.entries() if _is_part(entry.key))
    except Missing:
        return
    for name in names:
        data = store.read(name, max_bytes=_MOST)
        try:
            yield parquet.read_table(pyarrow.BufferReader(data), schema=schema())
        except (pyarrow.ArrowException, OSError) as error:
            raise Corrupt(one_line(error), store.shown(name)) from error


def _is_part(key: str) -> bool:
    return key.startswith(_PREFIX) and key.endswith(_ENDING) and "/" not in key
