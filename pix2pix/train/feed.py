"""Batches of each training step, prefetched: photos -> crops -> augmented on the device."""

import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from pix2pix.batch import Batch
from pix2pix.data.pictures import Examples
from pix2pix.errors import one_line
from pix2pix.randomness import uniform
from pix2pix.train.settings import Optimization

Crops = tuple[Tensor, Tensor]
"""Crops (B, C, H, W) and their positions (B,) int64, as the loader collates them."""

_NO_SHARED_MEMORY = re.compile(r"shared memory|shared_memory|\bshm|Bus error")


def positions_of(step: int, *, batch: int, rank: int, world: int) -> list[int]:
    """Shard a step's positions in the endless sequence of photos -> those of this process."""
    return list(range(step * batch + rank, (step + 1) * batch, world))


def side_of(step: int, sizes: tuple[int, ...], *, seed: int) -> int:
    """Draw the side that a step's crops are resized to, one of `sizes`; equal in every process."""
    return sizes[int(uniform(seed, step, 5)[0] * len(sizes))]


def default_workers(fabric: Fabric) -> int:
    """The number of loader processes: 0 on CPU, whose cores the net needs; up to 12 with a GPU."""
    return 0 if fabric.device.type == "cpu" else min(12, max(1, (os.cpu_count() or 2) - 2))


def batches(
    fabric: Fabric,
    photos: Examples,
    optim: Optimization,
    *,
    first: int,
    augment: Mapping[str, float],
) -> Iterator[list[Batch]]:
    """Each step's micro-batches, from step `first` to the last, on the device.

    `augment` are arguments of `photos.prepare`. This call forks the loader's processes, in the
    caller's thread: those forked in a pool's thread cannot end without an error. Where processes
    cannot share memory the photos are loaded in this one, after a line that says so.
    """

    def load(done: int, workers: int) -> Iterator[Crops]:
        """The crops of the micro-batches after the first `done`."""
        loader = DataLoader(
            photos,
            batch_sampler=islice(micro_batches(fabric, optim, first=first), done, None),
            num_workers=workers,
            pin_memory=fabric.device.type == "cuda",
            prefetch_factor=4 if workers else None,
        )
        return iter(loader)

    workers = default_workers(fabric) if optim.workers is None else optim.workers
    crops = _loaded(load, workers, aloud=fabric.is_global_zero)
    return _in_steps(_on_device(fabric, photos, crops, optim, augment), optim.accumulate)


def micro_batches(fabric: Fabric, optim: Optimization, *, first: int) -> Iterator[list[int]]:
    """The positions of each micro-batch of this process, from step `first` to the last."""
    rank, world = fabric.global_rank, fabric.world_size
    size = optim.micro_batch(world)
    for step in range(first, optim.steps):
        share = positions_of(step, batch=optim.batch, rank=rank, world=world)
        for i in range(0, len(share), size):
            yield share[i : i + size]


def _loaded(
    load: Callable[[int, int], Iterator[Crops]], workers: int, *, aloud: bool
) -> Iterator[Crops]:
    """Iterate over `load(0, workers)`; falls back to this process where others share no memory.

    That shows when they start (/dev/shm is missing, full or not to be written) or while they run
    (it is too small). Any batch can be loaded again, so this process goes on from there.
    """
    if not workers:
        return load(0, 0)

    def alone(done: int, error: Exception) -> Iterator[Crops]:
        if aloud:
            tqdm.write(
                f"trainer.workers={workers}: loading in this process, as others cannot share "
                f"memory with it ({one_line(error)}); give /dev/shm room (docker run "
                "--shm-size=1g), or trainer.workers=0",
                file=sys.stderr,
            )
        return load(done, 0)

    def going_on(crops: Iterator[Crops]) -> Iterator[Crops]:
        done = 0
        try:
            for crop in crops:
                yield crop
                done += 1
        except (OSError, RuntimeError) as error:
            if not _NO_SHARED_MEMORY.search(str(error)):
                raise
            yield from alone(done, error)

    try:
        multiprocessing.Event()  # before the loader, which would fall apart with a traceback
        return going_on(load(0, workers))
    except (ImportError, OSError) as error:  # the first: a Python without semaphores
        return alone(0, error)


def _on_device(
    fabric: Fabric,
    photos: Examples,
    crops: Iterator[Crops],
    optim: Optimization,
    augment: Mapping[str, float],
) -> Iterator[Batch]:
    for rgb, positions in crops:
        rgb = rgb.to(fabric.device, non_blocking=True)  # (B, C, H, W)
        step = int(positions[0]) // optim.batch
        rgb = scaled(rgb, side_of(step, optim.sizes or (photos.size,), seed=optim.seed))
        batch = photos.prepare(rgb, positions.numpy(), seed=optim.seed, **augment)
        if photos.labels is not None:
            names = [photos.name(int(p)) for p in positions]
            batch.labels = photos.labels.of(names).to(fabric.device)
        yield batch


def _in_steps(made: Iterator[Batch], accumulate: int) -> Iterator[list[Batch]]:
    while micro := list(islice(made, accumulate)):
        yield micro


def scaled(rgb: Tensor, side: int) -> Tensor:
    """Resize (B, C, H, W) -> (B, C, side, side) of the same dtype, uint8 or float, antialiased."""
    if rgb.shape[-2:] == (side, side):
        return rgb
    picture = F.interpolate(rgb.float(), (side, side), mode="bilinear", antialias=True)
    if rgb.is_floating_point():
        return picture
    return picture.round().clamp(0, 255).to(torch.uint8)


def ahead(items: Iterator[list[Batch]]) -> Generator[list[Batch]]:
    """Prefetch: each item is made in a thread while the one before is in use."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
