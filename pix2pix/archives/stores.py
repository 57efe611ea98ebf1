"""Stores: keys and bytes behind a URL that fsspec knows, objects put whole and only if new.

What each file system promises of a put:

    s3, gs, az       the server itself puts the object whole, and only if there is none of its key
    memory           so does the dictionary
    a folder here    written beside it, synced, then linked to its name (folders.py)
    sftp             written beside it, then renamed by the server, which refuses a name in use
    others           the same, but two runs at once may both find the name free: the later one
                     replaces an object by its own, whole one

Credentials are found by fsspec and the packages behind it alone: in their environment variables
and configuration files.
"""

from pix2pix.archives.addresses import local_path, split
from pix2pix.archives.folders import FolderStore
from pix2pix.archives.store import Entry, Store, status
from pix2pix.archives.urls import UrlStore

__all__ = ["Entry", "Store", "open_store", "read_address", "status"]


def open_store(address: str) -> Store:
    """Open a URL or a path of a folder; nothing is asked of a server yet.

    Raises ModuleNotFoundError, with the extra to install, and NotPermitted, as of a URL that fsspec
    does not know.
    """
    path = local_path(address)
    if path is not None:
        return FolderStore(path)
    return UrlStore(address)


def read_address(address: str, *, max_bytes: int) -> bytes:
    """Read the object of a URL. Raises PhotoError."""
    folder, name = split(address)
    return open_store(folder).read(name, max_bytes=max_bytes)
