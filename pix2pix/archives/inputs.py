"""Inputs: what a URL of the command line means: an object, all below a folder, or a glob."""

import glob
from typing import NamedTuple

from pix2pix.archives.addresses import split
from pix2pix.archives.attempts import Missing
from pix2pix.archives.store import Store
from pix2pix.archives.stores import open_store


class Input(NamedTuple):
    """What one URL means."""

    store: Store
    name: str = ""
    """Of the one object that was meant, or "" for all that there are."""
    pattern: list[str] | None = None
    """A glob below the store's root, part by part."""


def resolve(address: str) -> Input:
    """Ask what a URL means; what exists wins over its meaning as a glob. Raises PhotoError."""
    folder, name = split(address)
    if name:
        store = open_store(folder)
        if store.entry(name) is not None:
            return Input(store, name)
    whole = open_store(address)
    if not _is_glob(address) or _holds_anything(whole):
        return Input(whole)
    parts: list[str] = []
    while _is_glob(address):
        address, part = split(address.rstrip("/") if "::" not in address else address)
        parts.insert(0, part)
        if not part:
            return Input(whole)
    return Input(open_store(address), pattern=parts)


def _is_glob(address: str) -> bool:
    head = address.partition("::")[0] if "://" in address.partition("::")[0] else address
    path = head.partition("://")[2]
    return glob.escape(path) != path


def _holds_anything(store: Store) -> bool:
    try:
        return next(store.entries(), None) is not None
    except Missing:
        return False
