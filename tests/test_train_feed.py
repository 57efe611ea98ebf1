"""Which photos a step sees, in which process, and when they are made."""

import multiprocessing
import multiprocessing.synchronize
import threading

import pytest
import torch
from tiny_runs import make_photos, open_photos
from torch.utils.data import DataLoader

from pix2pix.train.feed import ahead, batches, positions_of, side_of
from pix2pix.train.processes import launch
from pix2pix.train.settings import Optimization


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return open_photos(make_photos(tmp_path_factory.mktemp("feed") / "photos", count=10), size=16)


def collect(photos, **settings):
    return list(feed(photos, **settings))


def feed(photos, **settings):
    fabric = launch(accelerator="cpu", precision="fp32")
    first, augment = settings.pop("first", 0), settings.pop("augment", {})
    optim = Optimization(**({"steps": 4, "batch": 4, "workers": 0} | settings))
    return batches(fabric, photos, optim, first=first, augment=augment)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_the_processes_share_a_step_out_whatever_their_number(world):
    shares = [positions_of(3, batch=8, rank=rank, world=world) for rank in range(world)]
    assert {len(share) for share in shares} == {8 // world}
    assert sorted(sum(shares, [])) == list(range(24, 32))


def test_micro_batches_cut_the_step_and_nothing_else(photos):
    whole = collect(photos)
    assert [len(micro) for micro in whole] == [1, 1, 1, 1]
    cut = collect(photos, accumulate=2)
    assert [len(micro) for micro in cut] == [2, 2, 2, 2]
    for (batch,), (one, other) in zip(whole, cut, strict=True):
        assert torch.equal(batch.ab, torch.cat([one.ab, other.ab]))
        assert batch.positions.tolist() == [*one.positions, *other.positions]


def test_beginning_later_gives_the_same_batches(photos):
    late, whole = collect(photos, first=2), collect(photos)
    assert len(late) == 2
    assert all(torch.equal(a[0].L, b[0].L) for a, b in zip(late, whole[2:], strict=True))


def test_a_loader_process_gives_the_same_batches(photos):
    alone, helped = collect(photos), collect(photos, workers=1)
    assert all(torch.equal(a[0].L, b[0].L) for a, b in zip(alone, helped, strict=True))


def test_loader_processes_end_without_an_error(photos):
    coming = ahead(feed(photos, workers=2))
    assert next(coming)
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    assert len(list(coming)) == 3
    assert [worker.exitcode for worker in workers] == [0, 0]


def test_the_augmentation_reaches_the_input_alone(photos):
    plain, aged = collect(photos)[0][0], collect(photos, augment={"film": 1.0})[0][0]
    assert torch.equal(plain.ab, aged.ab) and not torch.equal(plain.L, aged.L)


def test_a_step_has_one_of_the_sizes_and_its_crops_are_scaled_to_it(photos):
    whole, scaled = collect(photos, steps=12), collect(photos, steps=12, sizes=(8, 12, 16))
    sides = [micro[0].ab.shape[-1] for micro in scaled]
    assert set(sides) == {8, 12, 16}
    for (batch,), (small,), side in zip(whole, scaled, sides, strict=True):
        assert small.ab.shape == (4, 2, side, side)
        assert batch.positions.tolist() == small.positions.tolist()
        coarse = torch.nn.functional.adaptive_avg_pool2d(batch.ab, 4)
        assert (torch.nn.functional.adaptive_avg_pool2d(small.ab, 4) - coarse).abs().max() < 0.1
        assert side < 16 or torch.equal(batch.ab, small.ab)


def test_sizes_are_the_steps_own_wherever_it_is_cut_and_a_run_begins(photos):
    sizes = (8, 12, 16)
    whole = [[b.ab.shape[-1] for b in micro] for micro in collect(photos, steps=9, sizes=sizes)]
    cut = collect(photos, steps=9, sizes=sizes, accumulate=2)
    assert [[b.ab.shape[-1] for b in micro] for micro in cut] == [2 * side for side in whole]
    late = collect(photos, first=3, steps=9, sizes=sizes)
    assert [[b.ab.shape[-1] for b in micro] for micro in late] == whole[3:]
    assert {len({side_of(step, sizes, seed=seed) for seed in range(30)}) for step in (0, 5)} == {3}


def test_ahead_makes_the_next_while_this_one_is_in_use():
    made = [threading.Event() for _ in range(3)]

    def items():
        for event in made:
            event.set()
            yield event

    for i, event in enumerate(ahead(items())):
        assert event is made[i]
        assert made[min(i + 1, 2)].wait(10)


def test_ahead_passes_errors_on():
    def items():
        yield [1]
        raise OSError("the disk is gone")

    coming = ahead(items())
    assert next(coming) == [1]
    with pytest.raises(OSError, match="gone"):
        next(coming)


def test_processes_that_cannot_start_leave_it_to_this_one(photos, monkeypatch, capsys):
    whole = collect(photos)
    for error in (
        OSError(30, "Read-only file system"),
        OSError(28, "No space left on device"),
        ImportError("This platform lacks a functioning sem_open implementation"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(multiprocessing.synchronize.SemLock, "__init__", raising(error))
            same(collect(photos, workers=2), whole)
        told = capsys.readouterr().err.splitlines()
        assert len(told) == 1 and "trainer.workers=2: loading in this process" in told[0]
        assert "--shm-size" in told[0] and "Traceback" not in told[0]


@pytest.mark.parametrize(
    "why",
    [
        "unable to allocate shared memory(shm) for file </torch_1_2>: No space left on device (28)",
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that "
        "dataloader's workers are out of shared memory.",
    ],
)
def test_memory_that_ends_on_the_way_costs_no_batch(why, photos, monkeypatch, capsys):
    whole, real = collect(photos), DataLoader.__iter__

    def full_after_two(loader):
        crops = real(loader)
        if not loader.num_workers:
            return crops

        def some():
            yield next(crops)
            yield next(crops)
            raise RuntimeError(why)

        return some()

    monkeypatch.setattr(DataLoader, "__iter__", full_after_two)
    same(collect(photos, workers=1), whole)
    assert capsys.readouterr().err.count("loading in this process") == 1


def test_other_errors_of_a_worker_are_errors(photos, monkeypatch):
    monkeypatch.setattr(DataLoader, "__iter__", raising(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        collect(photos, workers=1)


def raising(error):
    def call(*_, **__):
        raise error

    return call


def same(some, others):
    pairs = zip(some, others, strict=True)
    assert all(
        torch.equal(a.L, b.L) for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True)
    )
