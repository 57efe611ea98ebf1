"""Listings: what a store holds, streamed: a page at a time of S3, elsewhere folder by folder."""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from pix2pix.archives.attempts import Missing
from pix2pix.archives.store import Entry

_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")
_BY_HASH = re.compile(r"--x-s3$|--x-s3/")  # S3 Express lists its keys in no order


class Listed(Protocol):
    """A store behind a URL, as it is listed."""

    fs: Any
    base: str

    @property
    def is_s3(self) -> bool:
        """Whether s3fs is behind it."""

    def ask(self, call: Callable[[], Any]) -> Any:
        """The answer to a request. Raises PhotoError."""

    def entry(self, key: str) -> Entry | None:
        """One object."""


def entries(store: Listed) -> Iterator[Entry]:
    """Every object below the root of a store; see `Store.entries`."""
    if store.is_s3 and not _BY_HASH.search(store.base):
        return _pages(store)
    return _walk(store)


def _pages(store: Listed) -> Iterator[Entry]:
    """A thousand keys a request, in the order of their bytes."""
    bucket, _, prefix = store.base.partition("/")
    if store.base.startswith("arn:"):
        bucket, prefix, _ = store.fs.split_path(store.base)
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    ask = partial(store.fs.call_s3, "list_objects_v2", Bucket=bucket, Prefix=prefix)
    ask = partial(ask, **store.fs.req_kw)
    page = store.ask(ask)
    while True:
        for found in page.get("Contents", []):
            key = found["Key"].removeprefix(prefix)
            if key and not key.endswith("/"):  # such stand for folders
                yield Entry(key, found["Size"], found["LastModified"].timestamp())
        token = page.get("NextContinuationToken")
        if not token:
            return
        page = store.ask(partial(ask, ContinuationToken=token))


def _walk(store: Listed) -> Iterator[Entry]:
    """A folder a request; its files in the order of their names, then the folders below it."""
    base = store.base.rstrip("/")
    start = f"{base}/" if base else ""
    folders = [store.base]
    while folders:
        folder = folders.pop()
        below = []
        try:
            listed = store.ask(partial(store.fs.ls, folder, detail=True))
        except Missing:
            if folder == store.base:
                raise
            continue  # deleted meanwhile
        for found in sorted(listed, key=lambda item: item["name"]):
            name = found["name"].rstrip("/")
            key = name.removeprefix(start)
            if (
                not key
                or name == folder.rstrip("/")
                or found["name"].endswith("/")
                and not _is_folder(found)
            ):
                continue
            if _is_folder(found):
                below.append(name)
            elif found["type"] == "link":  # to a file; into a folder it may lead in a circle
                target = store.entry(key)
                if target is not None:
                    yield target
            else:
                yield entry(key, found)
        folders += reversed(below)


def _is_folder(found: dict[str, Any]) -> bool:
    return found["type"] == "directory"


def entry(key: str, found: dict[str, Any]) -> Entry:
    """An Entry of what fsspec says of an object."""
    moment = next((found[name] for name in _TIMES if found.get(name)), None)
    return Entry(key, int(found.get("size") or 0), _seconds(moment))


def _seconds(moment: object) -> float | None:
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return None
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(moment) if isinstance(moment, (int, float)) else None


def groups(entries: Iterable[Entry]) -> Iterator[dict[str, Entry]]:
    """Objects in the order of their keys, those together that may belong to one photo: `a.*`."""
    group: dict[str, Entry] = {}
    start = ""
    for entry in entries:
        if group and not entry.key.startswith(start):
            yield group
            group = {}
        if not group:
            start = posixpath.splitext(entry.key)[0] + "."
        group[entry.key] = entry
    if group:
        yield group
