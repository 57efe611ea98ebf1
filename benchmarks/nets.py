"""Time of the pretrained-encoder U-Nets beside the width-32 U-Net, in training and in coloring.

    python benchmarks/nets.py [--precision fp32|bf16] [--size 256] [--batch 8] [--threads 2]
        [--only resnet18 convnext_tiny]

The nets take turns, round after round, so that a busy machine slows all of them; with one thread
processor time is taken, which other work lengthens least. Printed for each: the median milliseconds
of a training step (forward, L1, backward, AdamW) and of coloring one picture (eval, no gradient),
both channels last as training and the colorizer have it, and their ratios to the U-Net's.
Bar for the first two encoders, which run on laptops: at most 1.5 in each.
"""

import argparse

import torch
from harness import turns
from torch import Tensor, nn

from pix2pix.nets import UNet
from pix2pix.nets.backbone_unet import BackboneUNet

NETS = {
    "UNet, width 32": lambda: UNet(width=32, depth=7),
    "mobilenet_v2": lambda: BackboneUNet(encoder="mobilenet_v2"),
    "mobilenet_v2, frozen=0": lambda: BackboneUNet(encoder="mobilenet_v2", frozen=0),
    "squeezenet1_1": lambda: BackboneUNet(encoder="squeezenet1_1"),
    "resnet18": lambda: BackboneUNet(encoder="resnet18"),
    "convnext_tiny": lambda: BackboneUNet(encoder="convnext_tiny"),
}


class Training:
    """One training step of a net on fixed random tensors."""

    def __init__(self, net: nn.Module, L: Tensor, ab: Tensor, bf16: bool):
        self.net = net.train().to(memory_format=torch.channels_last)
        self.L, self.ab, self.bf16 = L, ab, bf16
        trained = [p for p in net.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained)

    def __call__(self) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            fake = self.net(self.L)
        (fake.float() - self.ab).abs().mean().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


class Coloring:
    """One picture through a net, as the colorizer runs it."""

    def __init__(self, net: nn.Module, L: Tensor):
        self.net, self.L = net.eval().to(memory_format=torch.channels_last), L

    @torch.inference_mode()
    def __call__(self) -> None:
        self.net(self.L)


def medians(works: dict, rounds: int) -> dict[str, float]:
    """Median seconds of each work, run in turns."""
    clock = "cpu" if torch.get_num_threads() == 1 else "wall"
    return {name: times.median(clock) for name, times in turns(works, rounds).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="+", choices=list(NETS)[1:], default=list(NETS)[1:])
    options = parser.parse_args()
    base = next(iter(NETS))
    nets = {name: NETS[name] for name in (base, *options.only)}
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    L = torch.rand(options.batch, 1, options.size, options.size) * 2 - 1
    ab = torch.rand(options.batch, 2, options.size, options.size) - 0.5
    bf16 = options.precision == "bf16"
    step = medians({n: Training(make(), L, ab, bf16) for n, make in nets.items()}, options.rounds)
    color = medians({n: Coloring(make(), L[:1]) for n, make in nets.items()}, 3 * options.rounds)
    print(
        f"{options.size} px, {options.threads} threads, {options.precision}, batch {options.batch}"
    )
    print(f"{'':24}{'step [ms]':>12}{'ratio':>8}{'coloring [ms]':>16}{'ratio':>8}")
    for name in nets:
        ratios = step[name] / step[base], color[name] / color[base]
        print(
            f"{name:24}{step[name] * 1e3:12.1f}{ratios[0]:8.2f}"
            f"{color[name] * 1e3:16.1f}{ratios[1]:8.2f}"
        )


if __name__ == "__main__":
    main()
