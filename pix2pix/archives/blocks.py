"""Blocks: jobs in packets of a few photos, as a fleet hands them out and counts them back."""

import pickle
from collections.abc import Iterator

from pix2pix.colorize.jobs import Job

PHOTOS = 32  # of a block, at most, and
BYTES = 2**25  # of them, after which it is full: records come back a block at a time


class Blocks:
    """Jobs to do: some 300 bytes each, as they are pickled."""

    def __init__(self, *, photos: int = PHOTOS, size: int = BYTES):
        self.photos, self.size = photos, size
        self._blocks: dict[int, bytes] = {}
        self._filling: list[Job] = []
        self._bytes = 0

    def __len__(self) -> int:
        """How many blocks there are."""
        return len(self._blocks) + bool(self._filling)

    def add(self, job: Job) -> None:
        """Add a job, whose photo's size its status says."""
        self._filling.append(job)
        self._bytes += job.status.st_size if job.status else 0
        if len(self._filling) >= self.photos or self._bytes >= self.size:
            self._close()

    def packed(self) -> dict[int, bytes]:
        """The blocks that are left, by their numbers, for `unpack`."""
        self._close()
        return dict(self._blocks)

    def take(self, number: int) -> bool:
        """Count a block back -> whether it was still out."""
        return self._blocks.pop(number, None) is not None

    def jobs(self) -> Iterator[Job]:
        """The jobs of the blocks that are left."""
        for block in self.packed().values():
            yield from unpack(block)

    def singly(self) -> "Blocks":
        """The same jobs, each in a block of its own."""
        found = Blocks(photos=1)
        for job in self.jobs():
            found.add(job)
        return found

    def _close(self) -> None:
        if self._filling:
            number = max(self._blocks, default=-1) + 1
            self._blocks[number] = pickle.dumps(self._filling)
            self._filling, self._bytes = [], 0


def unpack(block: bytes) -> list[Job]:
    """The jobs of a block."""
    jobs: list[Job] = pickle.loads(block)
    return jobs
