"""Other projects' architectures beside `default`, with random weights, on one thread.

Theirs in contiguous tensors, as their code has them, ours as the package runs it.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from engines import by_torch, one_pass, side, use_threads
from harness import Figure, Plan, turns
from peers import ECCV16, SIGGRAPH17, DDColorTiny

from pix2pix.nets import UNet
from pix2pix.weights import load
from sections.nets import flops

PEERS = {
    "U-Net of 54.4 M": (UNet, 1),
    "ECCV16": (ECCV16, 1),
    "SIGGRAPH17": (SIGGRAPH17, 4),
    "DDColor-tiny": (DDColorTiny, 3),
}
BARS = {("DDColor-tiny", 256): 15, ("SIGGRAPH17", 256): 25}  # times slower than `default`


def noise(channels: int, size: int) -> np.ndarray:
    """(1, channels, size, size) float32 in [-1, 1]."""
    random = np.random.default_rng(0)
    return random.uniform(-1, 1, (1, channels, size, size)).astype(np.float32)


def run(plan: Plan) -> Iterator[Figure]:
    use_threads(1)
    nets = {}
    for name, (kind, channels) in PEERS.items():
        with torch.device("meta"):  # counted, not computed
            net = kind().eval()
        parameters = sum(p.numel() for p in net.parameters())
        yield Figure(f"{name}, parameters", parameters / 1e6, "M")
        needed = flops(net, (1, channels, 256, 256))
        yield Figure(f"{name}, FLOPs at 256x256", needed / 1e9, "GFLOP")
        nets[name] = kind().eval().requires_grad_(False)
    weights = plan.weights or "default"
    ours, header = load(weights)
    base = f"{weights} in torch"
    for size in plan.peers:
        x = noise(header.in_channels, side(header, ours, size))
        x[:, 1:] = 0  # no hints: with them it would look twice
        works: dict[str, Callable[[], object]] = {base: partial(by_torch(ours), x)}
        works[f"{weights} as it is"] = one_pass(weights, size)
        for name, net in nets.items():
            seen = noise(PEERS[name][1], max(size, getattr(net, "multiple", 1)))
            works[name] = partial(net, torch.from_numpy(seen))
        times = turns(works, plan.rounds // 2 + 1 if size < 512 else 2)
        for name, taken in times.items():
            ratio = taken.ratio(times[base], "cpu")
            bar = BARS.get((name, size))
            milliseconds = taken.median("cpu") * 1e3
            yield Figure(f"{name}, {size} px", milliseconds, "ms", ratio, base, bar, True)
