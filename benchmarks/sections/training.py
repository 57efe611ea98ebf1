"""A training step: images a second of `fit` and of a bare loop, to the matrix products in it."""

import statistics
from collections.abc import Iterator

import torch
import train
from harness import Figure, Plan

from pix2pix.nets import UNet
from sections.floor import rate
from sections.nets import flops

PASSES = 3  # forward, and backward for the inputs and the weights: as many products each


def run(plan: Plan) -> Iterator[Figure]:
    blocks, precision = train.measure(plan.blocks, plan.steps, batch=plan.batch)
    kind = "bf16" if precision == "bf16-mixed" else "fp32"
    with torch.device("meta"):
        net = UNet(**train.NET)  # type: ignore[arg-type]
    needed = PASSES * flops(net, (1, 1, train.SIZE, train.SIZE))
    floor = rate(plan.gemm, plan.rounds, kind) * 1e9 / needed  # images a second
    images = plan.batch * plan.steps
    fit, bare = (statistics.median(block[i] for block in blocks) for i in (0, 1))
    yield Figure("FLOPs of an image, there and back", needed / 1e9, "GFLOP")
    name = f"GEMM {kind}"
    yield Figure(f"bare loop, {precision}", images / bare, "images/s", images / bare / floor, name)
    yield Figure(f"fit, {precision}", images / fit, "images/s", images / fit / floor, name)
    ratio = statistics.median(b / f for f, b in blocks)
    bar = train.BAR
    yield Figure("fit, to the loop", images / fit, "images/s", ratio, "the bare loop", bar, True)
