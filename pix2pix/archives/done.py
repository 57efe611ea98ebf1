"""Done: which outputs a store holds already, as one listing says, kept in 24 bytes a key."""

import hashlib
import time
from array import array
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from pix2pix.archives.attempts import Missing
from pix2pix.archives.store import Entry, Store
from pix2pix.archives.urls import UrlStore
from pix2pix.colorize.outputs import State

_EMPTY, _UNKNOWN = -1.0, np.inf  # in place of a time


class Done(Protocol):
    """What is known of the outputs below a root."""

    def state(self, key: str, photo: float | None) -> State:
        """Judge an output by its key and the time of its photo [s since 1970].

        An output is put after its photo was, so that one that is older is that of an earlier photo.
        Stores keep whole seconds. A photo from the future, such as of a camera whose clock is
        wrong, says nothing.
        """


class Asked:
    """The outputs below a root, asked for one by one."""

    def __init__(self, store: Store):
        self.store = store

    def state(self, key: str, photo: float | None) -> State:
        """See Done; a request."""
        return _state(self.store.entry(key), photo)


class Listed:
    """The outputs below a root that are in part (i, n) of a run.

    A key is 16 bytes of its hash: of a billion keys one is taken for another once in 10^20 runs.
    """

    def __init__(self, store: Store, shard: tuple[int, int] = (1, 1), *, may_miss: bool = False):
        """List the store, which with `may_miss` need not be there yet. Raises PhotoError."""
        first, last, times = array("Q"), array("Q"), array("d")
        part, parts = shard
        for entry in _entries(store, may_miss):
            if isinstance(store, UrlStore):
                store.sweep(entry)
            a, b = _hash(entry.key)
            if a % parts == part - 1:  # as jobs.in_shard has it
                first.append(a)
                last.append(b)
                times.append(_EMPTY if not entry.size else entry.time or _UNKNOWN)
        order = np.argsort(np.frombuffer(first, np.uint64), kind="stable")
        self._first = np.frombuffer(first, np.uint64)[order]
        self._last = np.frombuffer(last, np.uint64)[order]
        self._times = np.frombuffer(times, np.float64)[order]

    def __len__(self) -> int:
        return len(self._first)

    def state(self, key: str, photo: float | None) -> State:
        """See Done; no request."""
        a, b = _hash(key)
        i = int(np.searchsorted(self._first, np.uint64(a)))
        while i < len(self._first) and self._first[i] == a:
            if self._last[i] == b:
                moment = float(self._times[i])
                size = 0 if moment == _EMPTY else 1
                return _state(Entry(key, size, None if moment == _UNKNOWN else moment), photo)
            i += 1
        return "none"


def _entries(store: Store, may_miss: bool) -> Iterator[Entry]:
    try:
        yield from store.entries()
    except Missing:
        if not may_miss:
            raise


def _state(output: Entry | None, photo: float | None) -> State:
    if output is None:
        return "none"
    if output.size == 0:
        return "empty"
    if photo is None or output.time is None or photo > time.time():
        return "good"
    return "good" if int(output.time) >= int(photo) else "older"


def _hash(key: str) -> tuple[int, int]:
    digest = hashlib.sha256(key.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")
