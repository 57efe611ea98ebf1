"""Which files a visitor may name: those sent in the same session, and those published to them.

The page's folder holds the files of all visitors, each in a folder of its own. Its real paths never
leave the server, and none that a request names is looked up on the disk: what a visitor reads and
sends are public names, `/files/FOLDER/NAME`, and each is an entry here or it is refused.

- A sent file gets a name of its own that nobody can guess (128 random bits; the same bytes sent
  twice get two). Only its sender reads it. The first call that names the file ties it to that
  call's session (`session_hash`); another session is refused even where it knows the name. So is
  another browser, where the sender's had a cookie. A call without a session is a session of its
  own, as it is in Gradio, so such a file serves for one call.
- A result is published by an answer that names it: to the visitor who got the answer, known by the
  cookie, or by whoever has its name where that visitor takes no cookies (curl, a page in a
  frame). What the page itself shows, such as samples, is for everybody. A sent file is never given
  back.

Sessions are named by clients: whoever chooses `session_hash="a"` shares it with others who do.
Gradio's page and client draw random ones.
"""

import os
import secrets
import stat
import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from pix2pix.app.limits import SENT_FILES

PUBLIC = "/files"


@dataclass
class _Sent:
    path: str
    visitor: str  # "" without a cookie
    since: float
    session: str | None = None  # until a call names it


@dataclass
class _Published:
    since: float
    visitors: set[str] = field(default_factory=set)


class Shelf:
    """The files of one page, in `folder`. Entries are dropped after `kept` seconds."""

    def __init__(self, folder: Path, kept: float):
        self.folder = Path(os.path.abspath(folder))
        self.kept = kept
        self.slots: set[int] = set()  # ids of the components that take files
        self._sent: OrderedDict[str, _Sent] = OrderedDict()
        self._paths: Counter[str] = Counter()  # of what is in _sent
        self._published: OrderedDict[str, _Published] = OrderedDict()
        self._shown: set[str] = set()  # to everybody, by the page itself
        self._lock = threading.Lock()

    @property
    def full(self) -> bool:
        """Whether so many files were sent within `kept` seconds that no more are taken."""
        with self._lock:
            self._forget()
            return len(self._sent) >= SENT_FILES

    def put(self, path: str, visitor: str) -> str:
        """Register a file that `visitor` has sent -> its public name."""
        key, path = secrets.token_hex(16), os.path.abspath(path)
        with self._lock:
            self._forget()
            self._sent[key] = _Sent(path, visitor, time.monotonic())
            self._paths[path] += 1
        return f"{PUBLIC}/{key}/{Path(path).name}"

    def take(self, name: object, *, visitor: str, session: str) -> str | None:
        """The path of a file that this session may use, by its public name; else None.

        Nothing is looked up on the disk.
        """
        key, last = _parts(name)
        with self._lock:
            sent = self._sent.get(key)
            if sent is None or Path(sent.path).name != last or sent.visitor not in ("", visitor):
                return None
            if sent.session is None:
                sent.session = session
            return sent.path if sent.session == session else None

    def publish(self, folder: str, visitor: str | None) -> None:
        """Let `visitor` fetch what is in `folder`, as an answer names it; None is everybody."""
        with self._lock:
            self._forget()
            if visitor is None:
                self._shown.add(folder)
                return
            entry = self._published.setdefault(folder, _Published(0.0))
            entry.since = time.monotonic()
            entry.visitors.add(visitor)
            self._published.move_to_end(folder)

    def published(self, name: str, visitor: str) -> Path | None:
        """The path of a file that `visitor` may fetch, by its public name; else None.

        Nothing is looked up on the disk.
        """
        folder, last = _parts(name)
        with self._lock:
            entry = self._published.get(folder)
            visitors = entry.visitors if entry else set()
            if folder not in self._shown and not visitors & {"", visitor}:
                return None
        return self.folder / folder / last

    def has(self, path: str) -> bool:
        """Whether `path` is that of a sent file. Nothing is looked up on the disk."""
        with self._lock:
            return path in self._paths

    def state(self, path: str | Path) -> os.stat_result | None:
        """The `os.lstat` of a regular file below the folder, reached without links.

        None for whatever else is there, or is not. Asks the disk: call it in a thread. Opens
        nothing, so that a pipe or a device cannot hold it.
        """
        try:
            below = Path(path).relative_to(self.folder)
            if ".." in below.parts or len(below.parts) != 2:
                return None
            if os.path.realpath(path) != os.path.join(os.path.realpath(self.folder), below):
                return None
            found = os.lstat(path)
        except (OSError, ValueError):
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def _forget(self) -> None:
        """Drop the entries that are too old; what is for everybody stays."""
        old = time.monotonic() - self.kept
        while self._sent and (sent := next(iter(self._sent.values()))).since < old:
            self._sent.popitem(last=False)
            self._paths[sent.path] -= 1
            if not self._paths[sent.path]:
                del self._paths[sent.path]
        while self._published and next(iter(self._published.values())).since < old:
            self._published.popitem(last=False)


def _parts(name: object) -> tuple[str, str]:
    """`/files/FOLDER/NAME` -> FOLDER, NAME; two empty ones for anything else."""
    parts = name.split("/") if isinstance(name, str) else []
    if len(parts) != 4 or f"/{parts[1]}" != PUBLIC or parts[0]:
        return "", ""
    if not {parts[2], parts[3]}.isdisjoint({"", ".", ".."}) or "\0" in parts[3]:
        return "", ""
    return parts[2], parts[3]
