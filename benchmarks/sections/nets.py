"""Each net's parameters and FLOPs, and its time on every engine to that of as large a product."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from engines import nets, runs, use_threads
from harness import Figure, Plan, cores, on, turns
from torch.utils.flop_counter import FlopCounterMode

from sections.floor import clock, fastest

FLOOR = "GEMM fp32"


def flops(net: torch.nn.Module, shape: tuple[int, ...]) -> int:
    """Of one pass on an input (B, C, H, W): twice its multiplications, as torch counts them.

    The net learns no more after this: torch's counter follows gradients, where there are any.
    """
    device = next(net.requires_grad_(False).parameters()).device
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(shape, device=device))
    return counter.get_total_flops()


def run(plan: Plan) -> Iterator[Figure]:
    found = nets(plan.weights)
    for name, (net, shape) in found.items():
        parameters = sum(p.numel() for p in net.parameters())
        yield Figure(f"{name}, parameters", parameters / 1e6, "M")
        size = f"{shape[1]}x{shape[2]}"
        yield Figure(f"{name}, FLOPs at {size}", flops(net, (1, *shape)) / 1e9, "GFLOP")
    for threads in dict.fromkeys((1, min(2, cores()))):
        use_threads(threads)
        product = fastest(plan.gemm)
        for name, (net, shape) in found.items():
            engines = runs(name, net)
            if threads == 1:
                yield from (Figure(f"{name}, {e}") for e, at in engines.items() if at is None)
            for batch in (1, 8):
                x = np.random.default_rng(0).uniform(-1, 1, (batch, *shape)).astype(np.float32)
                x[:, 1:] = 0  # no hints
                works: dict[str, Callable] = {FLOOR: product}
                works |= {e: partial(at, x) for e, at in engines.items() if at}
                times = turns(works, plan.rounds)
                floor = times.pop(FLOOR)
                scale = flops(net, x.shape) / (2 * plan.gemm**3)  # products as large as the net
                for engine, taken in times.items():
                    label = f"{name}, {engine}, batch {batch}, {on(threads)}"
                    each = taken.median(clock()) * 1e3 / batch
                    yield Figure(label, each, "ms", taken.ratio(floor, clock()) / scale, FLOOR)
