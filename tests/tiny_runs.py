"""Tiny training runs for the tests: photos made here, nets of a few thousand weights.

`in_child` and `in_two_processes` run a function of this file in processes of their own, forked from
a server that has everything imported, so that one costs a tenth of a second.
"""

import csv
import errno
import math
import multiprocessing
import os
import signal
import socket
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pix2pix import recipes
from pix2pix.data import Photos
from pix2pix.recipes import assemble
from pix2pix.train import loop
from pix2pix.train.loggers import Loggers
from pix2pix.train.loop import fit
from pix2pix.train.processes import launch

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["pix2pix.train.loop"])

UNET = {"net": "UNet", "width": 4, "depth": 3}
GAN = {"target": "pix2pix.Pix2Pix", "critic_width": 4, "generator": UNET}
NO_DROPOUT = {**GAN, "generator": {**UNET, "dropout": 0.0}}
BATCH_NORM = {
    "target": "unet_l1.UNetL1",
    "generator": {"net": "DoubleConvUNet", "width": 4, "depth": 2},
}


ALONE = {"precursor": "mean_net", "precursor_rgb": "autoencoder", "chromagan": "chroma_net"}


def pairs():
    """Recipes and generators that go together, (recipe, generator) by name: each once at least."""
    general = [g for g in recipes.generators() if g not in ("mean_net", "autoencoder")]
    several = ["unet", "double_conv", "mobilenet_hints"]
    found = [("unet_l1", g) for g in general]
    for name in recipes.names():
        if name != "unet_l1":
            found += [(name, g) for g in ([ALONE[name]] if name in ALONE else several)]
    return found


def make_photos(folder, *, count=24, side=40, colorful=True):
    """Smooth pictures, no two alike: `count` PNGs of side x side pixels."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:side, :side] / side
    for i in range(count):
        random = np.random.default_rng(i)
        waves = [np.sin(random.uniform(2, 9) * (x + random.random() * y)) for _ in range(3)]
        rgb = 127 + 90 * np.stack(waves if colorful else waves[:1] * 3, -1)
        Image.fromarray(rgb.astype(np.uint8)).save(folder / f"photo{i:02}.png")
    return folder


def make_recipe(config=GAN, *, seed=0, **arguments):
    torch.manual_seed(seed)
    return assemble({**config, **arguments})


def train(config, photos, run_dir, *, steps=6, processes=1, **settings):
    """`fit` on CPU with a log row a step; `config` is the recipe's, `photos` a folder."""
    torch.set_num_threads(1)
    recipe_settings = {k: settings.pop(k) for k in ("gan_start", "lr") if k in settings}
    precision = settings.pop("precision", "fp32")
    fabric = settings.pop("fabric", None) or launch(
        accelerator="cpu", devices=processes, precision=precision
    )
    config = {**config, **recipe_settings}
    defaults = {"batch": 4, "warmup": 2, "log_every": 1, "workers": 0}
    trainer = {**defaults, **settings}
    return fit(
        trainer.pop("recipe", None) or make_recipe(config, seed=trainer.pop("weights_seed", 0)),
        photos=photos if isinstance(photos, Photos) else open_photos(photos),
        run_dir=run_dir,
        fabric=fabric,
        loggers=Loggers(run_dir, tensorboard=False),
        config={"recipe": config, "trainer": {k: v for k, v in trainer.items() if k in defaults}},
        steps=steps,
        **trainer,
    )


def open_photos(folder, *, size=32):
    return Photos(folder, cache=Path(folder).parent / "cache", size=size)


def losses_of(run_dir):
    """Rows of metrics.csv without the clock's column."""
    with open(Path(run_dir) / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in rows]


def equal_states(one, other):
    """Whether two `State.state_dict()` hold the same tensors, bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal_states(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal_states, one, other))
    return one == other


def in_child(target, *arguments, **settings):
    """Start `target(*arguments, **settings)` in another process; the caller joins or kills it."""
    process = FORK.Process(target=target, args=arguments, kwargs=settings)
    process.start()
    return process


def in_two_processes(target, *arguments, **settings):
    """Call `target` in two processes that Fabric joins by gloo; what each returned, or raised."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    answers = FORK.Queue()
    ranks = [
        in_child(_as_rank, rank, port, answers, target, arguments, settings) for rank in (0, 1)
    ]
    try:
        got = dict(answers.get(timeout=180) for _ in ranks)
    finally:
        for process in ranks:
            process.join(10)
            process.kill()
    return got[0], got[1]


def _as_rank(rank, port, answers, target, arguments, settings):
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "NODE_RANK": "0",
        "LOCAL_RANK": str(rank),
    }
    try:
        answers.put((rank, target(*arguments, **settings)))
    except BaseException as error:
        answers.put((rank, f"{type(error).__name__}: {error}"))


def train_and_return(*arguments, **settings):
    """The recipe's tensors at the end of `train`, as numpy arrays, which a queue can carry."""
    state = train(*arguments, **settings)
    return {k: v.numpy() for k, v in state.recipe.state_dict().items()}


def train_from_other_weights(*arguments, **settings):
    """`train_and_return`, where each process has drawn weights of its own."""
    return train_and_return(*arguments, weights_seed=int(os.environ["LOCAL_RANK"]), **settings)


def train_until_told(*arguments, rank, **settings):
    """`train`, and SIGTERM to process `rank` in its second step."""
    step = loop.train_step

    def told(*positional, **keywords):
        if positional[1].step == 1 and os.environ["LOCAL_RANK"] == str(rank):
            os.kill(os.getpid(), signal.SIGTERM)
        return step(*positional, **keywords)

    loop.train_step = told
    train(*arguments, **settings)


def train_with_bad_losses(*arguments, **settings):
    """`train`, where the second process meets NaNs from the second step on."""
    step = loop.train_step

    def poisoned(fabric, state, micro, **keywords):
        if state.step >= 1 and fabric.global_rank == 1:
            micro[0].ab[:] = math.nan
        return step(fabric, state, micro, **keywords)

    loop.train_step = poisoned
    train(*arguments, **settings)


def train_on_a_full_disk(*arguments, **settings):
    """`train`, where checkpoints find no room."""
    write = os.write

    def full(descriptor, data):
        if bytes(data[:2]) == b"PK":  # what torch.save writes
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    os.write = full
    train(*arguments, **settings)


def kill_at(event, *arguments, **settings):
    """`train`, and kill -9 of this process at the n-th touch of the file system in a save."""
    os.environ["TMPDIR"] = "/dev/shm"  # another file system: a writer that went there would lose
    happened = [0]

    def deadly(function):
        def wrapper(*positional, **keywords):
            if happened[0] == event:
                if function is write:  # half of it is on the disk
                    write(positional[0], positional[1][: len(positional[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            happened[0] += 1
            return function(*positional, **keywords)

        return wrapper

    write = os.write
    os.fsync, os.replace = deadly(os.fsync), deadly(os.replace)
    os.write, Path.unlink = deadly(os.write), deadly(Path.unlink)
    train(*arguments, **settings)
