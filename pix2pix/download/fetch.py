"""One file over HTTP, in as many attempts as it takes: each goes on where the last was cut.

HTTP is the standard library's, as in `torch.hub`: what huggingface_hub brings along is httpx in one
major version and httpx2 in the next.
"""

import http.client
import json
import random
import ssl
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from pix2pix import __version__
from pix2pix.errors import DataError

BLOCK = 2**20  # [bytes]
_LONGEST_WAIT = 60.0  # [s] between two attempts
_BUSY = {408, 429}  # client errors that pass


class _Again(Exception):
    """An attempt that failed, and may work after `wait` seconds."""

    def __init__(self, reason: object, wait: float = 0):
        super().__init__(str(reason))
        self.wait = wait


def fetch(
    url: str,
    part: Path,
    *,
    size: int,
    retries: int,
    timeout: float,
    backoff: float,
    progress: bool,
) -> None:
    """Fill the file `part` up to `size` bytes from `url`; what is there of them already is kept.

    Gives up after more than `retries` attempts in a row that bring nothing, each at most `timeout`
    seconds of silence long; waits `backoff` seconds before the first and twice as many before each
    next. Raises DataError then, and at once for an error that no retry mends.
    """
    if file_size(part) > size:
        discard(part)
    furthest, failures = file_size(part), 0
    with make_bar("download", size, shown=progress) as bar:
        while file_size(part) < size:
            wait, reason = 0.0, "the server closed the connection early"
            try:
                _transfer(url, part, size, timeout, bar)
            except _Again as error:
                wait, reason = error.wait, str(error)
            have = file_size(part)
            if have >= size:
                break
            failures = 0 if have > furthest else failures + 1
            furthest = max(furthest, have)
            if failures > retries:
                raise DataError(
                    f"{url}: {reason}; {have:,} of {size:,} bytes are here, "
                    "and the same call goes on from there"
                )
            wait = min(max(wait, backoff * 2 ** max(0, failures - 1)), _LONGEST_WAIT)
            bar.write(f"{url}: {reason}; again in {wait:.3g} s", file=sys.stderr)
            time.sleep(wait * random.uniform(0.8, 1))  # so that many who wait do not come at once


def _transfer(url: str, part: Path, size: int, timeout: float, bar: Any) -> None:
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
            raise DataError(f"{url}: {start + int(length):,} bytes, not the {size:,} expected")
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


def _open(request: Request, part: Path, timeout: float) -> http.client.HTTPResponse:
    """The server's answer, 200 or 206. Raises _Again or DataError."""
    url = request.full_url
    try:
        response = urlopen(request, timeout=timeout)
    except HTTPError as error:
        with error:
            if error.code == 416:  # the file got shorter
                discard(part)
                raise _Again("the server's file has changed") from error
            reason = f"HTTP {error.code} {error.reason}"
            if error.code >= 500 or error.code in _BUSY:
                after = error.headers.get("Retry-After", "")
                raise _Again(reason, float(after) if after.isdecimal() else 0) from error
            raise DataError(f"{url}: {reason}") from error
    except http.client.InvalidURL as error:
        raise DataError(f"{url}: {error}") from error
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise DataError(f"{url}: {cause}") from error
        raise _Again(cause or type(cause).__name__) from error
    if response.status not in (200, 206):
        raise DataError(f"{url}: HTTP {response.status} {response.reason}")
    return response


def _copy(response: http.client.HTTPResponse, file: Any, missing: int, bar: Any) -> None:
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
    """Beside an unfinished archive: where it comes from, and which version of it."""
    return part.with_name(part.name + ".json")


def discard(part: Path) -> None:
    """Remove an archive and its note."""
    part.unlink(missing_ok=True)
    note(part).unlink(missing_ok=True)


def file_size(path: Path) -> int:
    """Bytes of a file; 0 when there is none."""
    return path.stat().st_size if path.exists() else 0


def make_bar(what: str, total: int | None, *, shown: bool, unit: str = "B") -> Any:
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
