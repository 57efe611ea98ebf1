"""A store behind a URL that fsspec knows: `s3://bucket/scans/`."""

import os
import posixpath
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from functools import cached_property, partial
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from pix2pix.archives import listings
from pix2pix.archives.addresses import scrubbed, shown
from pix2pix.archives.attempts import Missing, patient, read_error, write_error
from pix2pix.archives.store import Entry, Store, parts_error
from pix2pix.errors import NotPermitted, TooLarge, Unreadable, one_line

S3 = {"s3", "s3a"}
FLAT = {*S3, "gs", "gcs", "az", "abfs", "abfss", "memory"}
"""Whose keys are any strings, and which put an object only if new themselves."""
_READ_ONLY = {"zip", "tar", "http", "https", "libarchive", "github", "git", "data", "reference"}
_EXTRAS = {"gs": "gs", "gcs": "gs", "az": "azure", "abfs": "azure", "abfss": "azure"} | {
    name: "sftp" for name in ("sftp", "ssh")
}
_SECRET = re.compile(r"secret|pass|token|key|connection_string|credential")  # of options
_TEMPORARY = re.compile(r"(?:^|/)\.pix2pix-[0-9a-f]+\.tmp$")
_ABANDONED = 3600  # [s]
_SINGLE_PUT = 2**30  # bytes; cut at once, larger puts leave parts that cost and nobody sees

_turns: WeakKeyDictionary[Any, Lock] = WeakKeyDictionary()


class UrlStore(Store):
    """A store behind a URL: `s3://bucket/scans/`."""

    def __init__(self, address: str):
        self.address = address
        self.root = shown(address).rstrip("/")
        self._made: set[str] = set()  # folders
        self.fs, self.base = _file_system(address)
        kind = self.fs.protocol
        self.protocols: set[str] = {kind} if isinstance(kind, str) else set(kind)
        one_by_one = not getattr(self.fs, "async_impl", False) and not self.is_flat
        # stores of one server share a connection, and with it their turn
        self._turn: Any = _turns.setdefault(self.fs, Lock()) if one_by_one else nullcontext()

    def __reduce__(self) -> tuple[Any, ...]:
        return UrlStore, (self.address,)

    @property
    def is_flat(self) -> bool:
        """Whether keys are any strings, without folders, and puts atomic by themselves."""
        return bool(self.protocols & FLAT)

    @property
    def is_s3(self) -> bool:
        """Whether s3fs is behind it."""
        return bool(self.protocols & S3)

    @cached_property
    def secrets(self) -> list[str]:
        """What may not be shown of the options that the file system was made with."""
        options = self.fs.storage_options.items()
        return [v for k, v in options if isinstance(v, str) and _SECRET.search(k)]

    def entries(self) -> Iterator[Entry]:
        """See Store."""
        yield from listings.entries(self)

    def entry(self, key: str) -> Entry | None:
        """See Store."""
        try:
            found = self.ask(partial(self.fs.info, self.path(key)))
        except Missing:
            return None
        return None if found["type"] == "directory" else listings.entry(key, found)

    def read(self, key: str, *, max_bytes: int) -> bytes:
        """See Store."""
        options = {"max_concurrency": 1} if self.is_s3 else {}  # else it asks the size
        data = self.ask(partial(self.fs.cat_file, self.path(key), **options))
        if len(data) > max_bytes:
            raise TooLarge(f"more bytes than the limit of {max_bytes:,} (max_bytes)")
        return data

    def read_start(self, key: str, count: int) -> bytes:
        """See Store."""
        return self.ask(partial(self.fs.cat_file, self.path(key), start=0, end=count))

    def sweep(self, entry: Entry) -> None:
        """Delete an object if it is a temporary file of a run that was killed an hour ago."""
        old = entry.time is not None and time.time() - entry.time > _ABANDONED
        if old and not self.is_flat and _TEMPORARY.search(entry.key):
            with suppress(Exception):
                self.ask(partial(self.fs.rm_file, self.path(entry.key)))

    def put(
        self,
        key: str,
        data: bytes,
        *,
        new: bool = True,
        source: os.stat_result | None = None,
    ) -> bool:
        """See Store."""
        if self.protocols & _READ_ONLY:
            raise NotPermitted(f"{sorted(self.protocols)[0]}:// is read only; give another output")
        tries = 0

        def attempt() -> None:
            nonlocal tries
            tries += 1
            with self._turn:
                if self.is_flat:
                    self._put_object(self.path(key), data, new)
                else:
                    self._put_file(self.path(key), data, new)

        try:
            patient(attempt, partial(write_error, secrets=self.secrets))
        except FileExistsError:
            # after a try without an answer it may be ours
            there = self.entry(key) if tries > 1 else None
            return there is not None and there.size == len(data)
        return True

    def path(self, key: str) -> str:
        """The file system's name of a key. Raises NotPermitted for one that it would mistake."""
        if not key:
            return self.base
        refused = None if self.is_flat else parts_error(key)
        if "?versionId=" in key and self.is_s3:
            refused = NotPermitted("its key has ?versionId= in it, which s3fs takes for a version")
        if refused is not None:
            raise refused
        return f"{self.base.rstrip('/')}/{key}"

    def ask(self, call: Any) -> Any:
        """The answer to a request that reads. Raises PhotoError."""

        def attempt() -> Any:
            with self._turn:
                return call()

        return patient(attempt, partial(read_error, secrets=self.secrets))

    def _put_object(self, path: str, data: bytes, new: bool) -> None:
        options: dict[str, Any] = {"mode": "create"} if new else {}
        if self.is_s3:
            options["chunksize"] = _SINGLE_PUT
        self.fs.pipe_file(path, data, **options)

    def _put_file(self, path: str, data: bytes, new: bool) -> None:
        """Write a file beside its place and rename it."""
        folder = posixpath.dirname(path)
        if folder not in self._made:
            self.fs.makedirs(folder, exist_ok=True)
            self._made.add(folder)
        if new and self.fs.exists(path):
            raise FileExistsError
        temporary = f"{folder}/.pix2pix-{secrets.token_hex(8)}.tmp"
        try:
            self.fs.pipe_file(temporary, data)
            if new and hasattr(self.fs, "ftp"):
                self.fs.ftp.rename(temporary, path)  # which a name in use makes fail
            else:
                self.fs.mv(temporary, path)
        except BaseException:
            with suppress(Exception):
                self.fs.rm_file(temporary)
            if new and self.fs.exists(path):
                raise FileExistsError from None
            raise


def _file_system(address: str) -> tuple[Any, str]:
    """The file system behind a URL, and its name of the root."""
    scheme = address.partition(":")[0].lower()
    extra = _EXTRAS.get(scheme, "buckets")
    needs = f"{scheme}:// needs: pip install 'pix2pix-color[{extra}]'"
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(needs) from error
    # else every page of every listing stays in memory
    options = {"use_listings_cache": False} if scheme in FLAT - {"memory"} else {}
    try:
        fs, base = url_to_fs(address, **options)
    except ImportError as error:
        raise ModuleNotFoundError(
            needs
            if extra != "buckets" or scheme in S3
            else f"{scheme}://: {scrubbed(one_line(error))}"
        ) from error
    except (ValueError, TypeError) as error:
        raise NotPermitted(scrubbed(one_line(error))) from error
    except Exception as error:  # such as a server that does not answer
        raise read_error(error) from error
    if not isinstance(base, str):
        raise Unreadable("it names several places")
    return fs, base
