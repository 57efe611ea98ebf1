"""A random SqueezeNet 1.1 and random LPIPS heads as files, for tests of what loads them."""

import torch
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1

CHANNELS = (64, 128, 256, 384, 384, 512, 512)


def save_features(path):
    torch.manual_seed(0)
    state = squeezenet1_1(weights=None).state_dict()
    save_file({k: v for k, v in state.items() if k.startswith("features.")}, path)
    return path


def save_heads(path):
    generator = torch.Generator().manual_seed(1)
    heads = {
        f"lin{i}.model.1.weight": torch.rand(1, channels, 1, 1, generator=generator)
        for i, channels in enumerate(CHANNELS)
    }
    save_file(heads, path)
    return path
