"""What a net costs: its parameters, and the work of a pass."""

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameters_of(net: nn.Module) -> int:
    """How many numbers a net has learned."""
    return sum(parameter.numel() for parameter in net.parameters())


def flops_of(net: nn.Module, source: np.ndarray) -> int:
    """Floating-point operations of a pass on source (B, C, H, W), an addition and a product two."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        net(torch.from_numpy(source[:1]))
    return counter.get_total_flops()
