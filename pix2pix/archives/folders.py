"""A folder of this machine as a store: files written beside their place, synced, then named."""

import os
import stat
from collections.abc import Iterator

from pix2pix import files
from pix2pix.archives.attempts import Missing
from pix2pix.archives.store import Entry, Store, parts_error
from pix2pix.errors import NotPermitted, PhotoError


class FolderStore(Store):
    """A folder; keys are paths below it, whatever they come from: none leads out of it."""

    def __init__(self, path: str):
        self.address = self.root = path
        self._swept: set[str] = set()

    def __reduce__(self) -> tuple[type["FolderStore"], tuple[str]]:
        return FolderStore, (self.address,)

    def entries(self) -> Iterator[Entry]:
        """See Store; links are not followed into folders."""
        if not os.path.isdir(self.address or "."):
            raise Missing("no such folder", self.root)
        for folder, folders, names in os.walk(self.address or "."):
            folders.sort()
            for name in sorted(names):
                key = os.path.relpath(os.path.join(folder, name), self.address or ".")
                found = self.entry(key.replace(os.sep, "/"))
                if found is not None:
                    yield found

    def entry(self, key: str) -> Entry | None:
        """See Store."""
        try:
            status = os.stat(self.path(key))
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return Entry(key, status.st_size, status.st_mtime)

    def read(self, key: str, *, max_bytes: int) -> bytes:
        """See Store."""
        return files.read_bytes(self.path(key), max_bytes=max_bytes)

    def read_start(self, key: str, count: int) -> bytes:
        """See Store."""
        with open(self.path(key), "rb") as file:
            return file.read(count)

    def put(
        self,
        key: str,
        data: bytes,
        *,
        new: bool = True,
        source: os.stat_result | None = None,
    ) -> bool:
        """See Store."""
        path = self.path(key)
        folder = os.path.dirname(path) or "."
        try:
            os.makedirs(folder, exist_ok=True)
            if folder not in self._swept:
                files.sweep(folder)
                self._swept.add(folder)
            files.write_bytes(data, path, source=source, new=new)
        except FileExistsError:
            return False
        except PhotoError:
            raise
        except OSError as error:
            raise files.write_error(error) from error
        return True

    def shown(self, key: str) -> str:
        """The path of a file, as the system spells it."""
        return os.path.join(self.address, *key.split("/")) if key else self.root

    def path(self, key: str) -> str:
        """The path of a key. Raises NotPermitted for one that would lead elsewhere."""
        if not key:
            return self.address or "."
        refused = parts_error(key)
        if os.name == "nt" and (set(key) & set('\\:<>"|?*') or key != key.rstrip(" .")):
            refused = NotPermitted("its key has characters that no file of Windows can have")
        if refused is not None:
            raise refused
        return os.path.join(self.address, *key.split("/"))
