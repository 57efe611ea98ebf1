"""Files over HTTP, with retries.

A large one resumes where the last attempt broke off (`fetch`); small ones are read whole, at the
rate that their server asks for (`get`, `Pace`).

HTTP is the standard library's, as in `torch.hub`: what huggingface_hub brings along is httpx in one
major version and httpx2 in the next.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from pix2pix import __version__
from pix2pix.errors import DataError

if TYPE_CHECKING:
    from tqdm import tqdm

BLOCK = 2**20  # [bytes]
_LONGEST_WAIT = 60.0  # [s] between two attempts
_LONGEST_ASKED = 3600.0  # [s] between two attempts, where the server says how long (Retry-After)
_LARGEST = 64 * 2**20  # [bytes] of what is read whole
_BUSY = {408, 429}  # client errors that pass
_GONE = {404, 410}

T = TypeVar("T")


class Unavailable(DataError):
    """A file that cannot be downloaded: it is gone, or broken in every attempt."""


class _Again(Exception):
    """A failed attempt, to be retried after `wait` seconds."""

    def __init__(self, reason: object, wait: float = 0, *, refused: bool = False):
        super().__init__(str(reason))
        self.wait = wait
        self.refused = refused  # HTTP 429: we asked too often


@dataclass(frozen=True)
class Retry:
    """Retry up to `retries` times, with exponential backoff; each attempt times out."""

    retries: int
    timeout: float  # [s] without a byte
    backoff: float  # [s] before the first retry; doubled before each next

    def wait(self, number: int) -> float:
        """[s] before the retry of that number, from 0 on."""
        return self.backoff * 2**number


class Pace:
    """Rate limit: at most one request in `interval` seconds; `wait` before each.

    `refusal` is how long to wait after HTTP 429 without a Retry-After.
    """

    def __init__(self, interval: float, *, refusal: float):
        self.refusal = refusal
        self._interval = interval
        self._next = -float("inf")

    def wait(self) -> None:
        """Return at once, or when `interval` seconds have passed since the last request."""
        now = time.monotonic()
        if now < self._next:
            time.sleep(self._next - now)
        self._next = max(now, self._next) + self._interval


def get(url: str, parse: Callable[[bytes], T], *, pace: Pace, retry: Retry, bar: tqdm) -> T:
    """Download a file whole and `parse` its bytes, which raises ValueError for broken ones.

    Waits at least as long as Retry-After asks. Raises Unavailable for what is gone or broken in
    every attempt, DataError for all else.
    """
    if urlsplit(url).scheme not in ("http", "https"):  # it may come out of a listing
        raise Unavailable(f"{url}: not an address of the web")
    failures = 0
    while True:
        pace.wait()
        wait = 0.0
        failure: type[DataError] = DataError
        try:
            data = _read(url, retry.timeout)
        except _Again as error:
            reason = str(error)
            wait = error.wait or (pace.refusal if error.refused else 0.0)
        else:
            try:
                return parse(data)
            except ValueError as error:
                failure, reason = Unavailable, f"broken: {error}"
        if failures >= retry.retries:
            raise failure(f"{url}: {reason}")
        _wait(url, reason, wait, retry.wait(failures), bar)
        failures += 1


def _read(url: str, timeout: float) -> bytes:
    """Download a file whole, in one attempt."""
    request = Request(url, headers={"User-Agent": f"pix2pix/{__version__}"})
    with _open(request, None, timeout) as response:
        try:
            data = response.read(_LARGEST + 1)
        except (OSError, http.client.HTTPException) as error:
            raise _Again(error or type(error).__name__) from error
        if len(data) > _LARGEST:
            raise Unavailable(f"{url}: more than {_LARGEST:,} bytes")
        if response.length:  # what was promised beyond them
            raise _Again("the server closed the connection early")
    return data


def _wait(url: str, reason: str, asked: float, backoff: float, bar: tqdm) -> None:
    """Wait before the next attempt, and say why."""
    # Shorter by chance, so that many who wait do not come at once; never than the server asks.
    own = min(backoff, _LONGEST_WAIT) * random.uniform(0.8, 1)
    wait = max(min(asked, _LONGEST_ASKED), own)
    bar.write(f"{url}: {reason}; again in {wait:.3g} s", file=sys.stderr)
    time.sleep(wait)


def _retry_after(value: str) -> float:
    """[s] that a Retry-After asks for: seconds, or a date (RFC 9110, section 10.2.3)."""
    if value.isdecimal():
        return float(value)
    with contextlib.suppress(ValueError):
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    return 0.0


def fetch(
    url: str, part: Path, *, size: int, retry: Retry, progress: bool, about: bool = False
) -> None:
    """Download `url` into the file `part`, `size` bytes in all; resumes what is there of it.

    Where `size` is only `about` right, the server says how many bytes there are: at most a tenth
    more or fewer. Only attempts that bring nothing count as retries; they count anew when one does.
    Raises DataError when they are used up, and at once for an error that no retry mends.
    """
    with make_bar("download", size, shown=progress) as bar:
        if about:
            size = bar.total = _stated_size(url, about=size, retry=retry, bar=bar)
        if file_size(part) > size:
            discard(part)
        furthest, failures = file_size(part), 0
        while file_size(part) < size:
            wait, reason = 0.0, "the server closed the connection early"
            try:
                _transfer(url, part, size, retry.timeout, bar)
            except _Again as error:
                wait, reason = error.wait, str(error)
            have = file_size(part)
            if have >= size:
                break
            failures = 0 if have > furthest else failures + 1
            furthest = max(furthest, have)
            if failures > retry.retries:
                raise DataError(
                    f"{url}: {reason}; {have:,} of {size:,} bytes are here, "
                    "and the same call goes on from there"
                )
            _wait(url, reason, wait, retry.wait(max(0, failures - 1)), bar)


def _stated_size(url: str, *, about: int, retry: Retry, bar: tqdm) -> int:
    """[bytes] of a file, as its server states (HEAD); raises DataError unless it is about right."""
    request = Request(url, headers={"User-Agent": f"pix2pix/{__version__}"}, method="HEAD")
    failures = 0
    while True:
        try:
            with _open(request, None, retry.timeout) as response:
                length = response.headers.get("Content-Length", "")
            break
        except _Again as error:
            if failures >= retry.retries:
                raise DataError(str(error), url) from error
            _wait(url, str(error), error.wait, retry.wait(failures), bar)
            failures += 1
    if not length.isdecimal() or abs(int(length) - about) > about / 10:
        raise DataError(f"{length or 'no number of'} bytes, not the about {about:,} expected", url)
    return int(length)


def _transfer(url: str, part: Path, size: int, timeout: float, bar: tqdm) -> None:
    """One attempt: ask for what is missing of `part` and append it, or start anew.

    Source: RFC 9110, sections 13.1.5 (If-Range), 14.2 (Range) and 15.5.17 (416).
    """
    start, validator = _resume(part, url)
    headers = {"User-Agent": f"pix2pix/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    with _open(Request(url, headers=headers), part, timeout) as response:
        if response.status == 206:
            expected = f"bytes {start}-"
            if not response.headers.get("Content-Range", "").startswith(expected):
                discard(part)
                raise _Again("the server sent another part than the one asked for")
        else:  # all of it: a first attempt, a server without ranges, or the file has changed
            start = 0
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and start + int(length) != size:
            raise DataError(f"{start + int(length):,} bytes, not the {size:,} expected", url)
        with part.open("ab" if start else "wb") as file:
            if not start:  # only now that the old bytes are gone
                note(part).write_text(json.dumps({"url": url, "validator": _validator(response)}))
            bar.n = bar.initial = start
            _copy(response, file, size - start, bar)


def _resume(part: Path, url: str) -> tuple[int, str | None]:
    """How many bytes are there from the same address, and what names their version."""
    try:
        known = json.loads(note(part).read_text())
        if known["url"] == url:
            return file_size(part), known["validator"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0, None


def _validator(response: http.client.HTTPResponse) -> str | None:
    """A strong ETag or the date, which If-Range compares byte by byte; a weak ETag is no use."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _open(request: Request, part: Path | None, timeout: float) -> http.client.HTTPResponse:
    """The server's answer, 200 or 206; `part` is what is there of it. Raises _Again, DataError."""
    url = request.full_url
    try:
        response = urlopen(request, timeout=timeout)
    except HTTPError as error:
        with error:
            if error.code == 416 and part:  # the file got shorter
                discard(part)
                raise _Again("the server's file has changed") from error
            reason = f"HTTP {error.code} {error.reason}"
            if error.code >= 500 or error.code in _BUSY:
                asked = _retry_after(error.headers.get("Retry-After", ""))
                raise _Again(reason, asked, refused=error.code == 429) from error
            failure = Unavailable if error.code in _GONE else DataError
            raise failure(f"{url}: {reason}") from error
    except http.client.InvalidURL as error:
        raise DataError(str(error), url) from error
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise DataError(str(cause), url) from error
        raise _Again(cause or type(cause).__name__) from error
    if response.status not in (200, 206):
        raise DataError(f"HTTP {response.status} {response.reason}", url)
    return response


def _copy(response: http.client.HTTPResponse, file: IO[bytes], missing: int, bar: tqdm) -> None:
    while missing > 0:
        try:
            block = response.read1(min(BLOCK, missing))  # what has come; read() would lose it
        except (OSError, http.client.HTTPException) as error:
            raise _Again(error) from error
        if not block:
            return
        file.write(block)
        missing -= len(block)
        bar.update(len(block))


def note(part: Path) -> Path:
    """The path of the note beside an unfinished archive: its address and version."""
    return part.with_name(part.name + ".json")


def discard(part: Path) -> None:
    """Remove an archive and its note."""
    part.unlink(missing_ok=True)
    note(part).unlink(missing_ok=True)


def file_size(path: Path) -> int:
    """Bytes of a file; 0 when there is none."""
    return path.stat().st_size if path.exists() else 0


def make_bar(what: str, total: int | None, *, shown: bool, unit: str = "B") -> tqdm:
    """A tqdm bar on stderr: of bytes with their prefixes, or of whole things."""
    from tqdm import tqdm

    return tqdm(
        desc=what,
        total=total,
        unit=unit,
        unit_scale=unit == "B",
        disable=not shown,
        file=sys.stderr,
    )
