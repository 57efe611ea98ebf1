"""A store: keys and bytes below a root, objects put whole and only if there is none yet."""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from pix2pix.errors import NotPermitted


class Entry(NamedTuple):
    """One object of a listing."""

    key: str
    """Its name below the root, parts joined by "/"."""
    size: int
    """[bytes]"""
    time: float | None
    """When it was put or changed [s since 1970], where the store says so."""


class Store(ABC):
    """Keys and bytes below a root. Pickles as its address."""

    address: str
    """As it was given: it may hold a password, and is never shown."""
    root: str
    """The address as it is shown, without "/" at its end."""

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """List every object below the root as it comes, those with a common start together.

        Raises Missing, NotPermitted and Unreadable.
        """

    @abstractmethod
    def entry(self, key: str) -> Entry | None:
        """One object, "" being the root itself, or None where there is none: a request."""

    @abstractmethod
    def read(self, key: str, *, max_bytes: int) -> bytes:
        """Read an object. Raises Missing, NotPermitted, TooLarge and Unreadable."""

    @abstractmethod
    def read_start(self, key: str, count: int) -> bytes:
        """The first `count` bytes of an object that is not empty, or all there are."""

    @abstractmethod
    def put(
        self,
        key: str,
        data: bytes,
        *,
        new: bool = True,
        source: os.stat_result | None = None,
    ) -> bool:
        """Put an object whole -> whether it was put.

        With `new` one that is there already stays, and the answer is False. A file in a folder
        gets the time and the mode of `source`, the state of the photo. Raises NotPermitted and
        NoSpace.
        """

    def shown(self, key: str) -> str:
        """The address of an object, for people."""
        head, chain, tail = self.root.partition("::")
        if "://" not in head:  # simplecache::s3://bucket
            head, chain, tail = self.root, "", ""
        separator = "/" if key and not head.endswith("://") else ""
        return f"{head}{separator}{key}{chain}{tail}"


def status(entry: Entry) -> os.stat_result | None:
    """What `os.stat` would say of an object: its time, and the mode that files usually get."""
    if entry.time is None:
        return None
    mode = stat.S_IFREG | 0o666
    group = os.getegid() if hasattr(os, "getegid") else 0
    second, ns = int(entry.time), int(entry.time * 1e9)
    times = {"st_atime_ns": ns, "st_mtime_ns": ns}
    return os.stat_result((mode, 0, 0, 1, 0, group, entry.size, second, second, second), times)


def parts_error(key: str) -> NotPermitted | None:
    """Why a key names no file below a folder, or None where it does."""
    parts = key.split("/")
    for part in ("", ".", ".."):
        if part in parts:
            what = f"the part {part!r}" if part else "an empty part"
            return NotPermitted(f"its key has {what}, which no folder can hold")
    if "\0" in key:
        return NotPermitted("its key has a NUL, which no folder can hold")
    return None
