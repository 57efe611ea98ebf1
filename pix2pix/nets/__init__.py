"""The networks: plain modules that know nothing of losses, color or files. One file a net.

Generators take L (B, in_channels, H, W) in [-1, 1] and give ab (B, 2, H, W) in [-1, 1], or what
they say in `predicts`, with H and W multiples of `generator.multiple`. `PatchGAN` scores patches.
Recipes decide how they are trained.
"""

from torch import nn

from pix2pix.nets.attention import Attention
from pix2pix.nets.backbone_unet import BackboneUNet
from pix2pix.nets.bins import AbBins, gamut_cells, gamut_grid, gamut_index
from pix2pix.nets.checks import DEEPEST, check_depth, check_sides
from pix2pix.nets.chroma_net import ChromaNet
from pix2pix.nets.double_conv import DoubleConvUNet, double_conv
from pix2pix.nets.enlarge import Shuffle, enlarge
from pix2pix.nets.hints import HINT_CHANNELS, pool_hints
from pix2pix.nets.imagenet import IMAGENET_MEAN, IMAGENET_STD, for_imagenet, gray_for_imagenet
from pix2pix.nets.init import init_icnr, init_normal
from pix2pix.nets.patchgan import PatchGAN
from pix2pix.nets.precursor import Autoencoder, MeanNet
from pix2pix.nets.unet import UNet

__all__ = [
    "DEEPEST",
    "GENERATORS",
    "HINT_CHANNELS",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "AbBins",
    "Attention",
    "Autoencoder",
    "BackboneUNet",
    "ChromaNet",
    "DoubleConvUNet",
    "MeanNet",
    "PatchGAN",
    "Shuffle",
    "UNet",
    "check_depth",
    "check_sides",
    "double_conv",
    "enlarge",
    "for_imagenet",
    "gamut_cells",
    "gamut_grid",
    "gamut_index",
    "gray_for_imagenet",
    "init_icnr",
    "init_normal",
    "pool_hints",
]

# The generators that a configuration or a weights file may name.
GENERATORS: dict[str, type[nn.Module]] = {
    "UNet": UNet,
    "DoubleConvUNet": DoubleConvUNet,
    "BackboneUNet": BackboneUNet,
    "ChromaNet": ChromaNet,
    "MeanNet": MeanNet,
    "Autoencoder": Autoencoder,
}
