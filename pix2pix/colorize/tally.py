"""Tally: counts of what a run passed over, so that nothing is left out in silence."""

import os
from collections import Counter
from dataclasses import dataclass, field

from pix2pix.images.names import is_clutter

_KINDS = 200  # counted apart; the rest of a folder with as many kinds of files is "others"
_SHOWN = 8
_COMPANIONS = {".xmp"}  # belong to a photo


@dataclass
class Tally:
    """Counts of what one input (a file, folder or glob) held."""

    photos: int = 0
    """Those of all shards."""
    records: int = 0
    """What was said of single files: links that were left, folders that cannot be read."""
    outputs: int = 0
    """Of earlier runs."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Files of other kinds, by extension in lower case."""
    clutter: Counter[str] = field(default_factory=Counter)
    """Folders of thumbnails and trash that were not looked into, by name."""

    @property
    def empty(self) -> bool:
        """Whether there was no photo, and no record that says why."""
        return not self.photos and not self.records

    def add_file(self, name: str) -> None:
        """Count a file that is no photo by its kind, unless it belongs to a photo or a system."""
        extension = os.path.splitext(name)[1].lower()
        if is_clutter(name) or extension in _COMPANIONS:
            return
        known = extension in self.kinds or len(self.kinds) < _KINDS
        self.kinds[(extension or "without extension") if known else "others"] += 1

    def add_clutter(self, name: str) -> None:
        """Count a folder that is not looked into, unless it is a hidden one."""
        if not name.startswith("."):
            self.clutter[name] += 1

    def passed_over(self) -> str | None:
        """One line, such as "9 files of other kinds: .jp2 8, .pdf 1", or None without any."""
        said = []
        if self.kinds:
            count = self.kinds.total()
            said.append(f"{count:,} file{'s' * (count > 1)} of other kinds: {_list(self.kinds)}")
        if self.clutter:
            said.append(f"thumbnails and trash: {_list(self.clutter)}")
        if self.outputs and not self.photos:
            said.append(f"outputs of earlier runs: {self.outputs:,}")
        return "; ".join(said) or None


def _list(counts: Counter[str]) -> str:
    most = counts.most_common()
    shown = ", ".join(f"{name} {count:,}" for name, count in most[:_SHOWN])
    return shown + f" and {len(most) - _SHOWN} kinds more" * (len(most) > _SHOWN)
