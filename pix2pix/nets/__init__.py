"""The networks: plain modules that know nothing of losses. A file a net, or some that belong
together.

unet.py and patchgan.py are pix2pix, variants.py their relatives; double_conv.py,
backbone_unet.py (with encoders from backbones.py and mobilenets.py, color bins from bins.py and
gamut.py, the way it follows hints from follow.py), chroma_net.py and toys.py are others. blocks.py
holds what several share.

Generators take L (B, in_channels, H, W) in [-1, 1] and give ab (B, 2, H, W) in [-1, 1], or what
they say in `predicts`, with H and W multiples of their `multiple`; build.py finds them. Those with
settings `in_channels` and `out_channels` translate any pictures, RGB to RGB. `PatchGAN` scores
patches; its middle is made of `critic_block`. `step_down` and `step_up` are the steps that `UNet`
is made of, and `init_normal` draws its first weights. Recipes decide how they are trained.
"""

from typing import TYPE_CHECKING

from pix2pix import on_first_use

if TYPE_CHECKING:
    from pix2pix.nets.blocks import init_normal
    from pix2pix.nets.build import GENERATORS, build_generator, config_of
    from pix2pix.nets.follow import follow_hints
    from pix2pix.nets.patchgan import PatchGAN, critic_block
    from pix2pix.nets.unet import UNet, step_down, step_up

__all__ = [
    "GENERATORS",
    "PatchGAN",
    "UNet",
    "build_generator",
    "config_of",
    "critic_block",
    "follow_hints",
    "init_normal",
    "step_down",
    "step_up",
]

# so that follow.py is used without torch
__getattr__ = on_first_use(
    __name__,
    {
        "GENERATORS": "pix2pix.nets.build",
        "PatchGAN": "pix2pix.nets.patchgan",
        "UNet": "pix2pix.nets.unet",
        "build_generator": "pix2pix.nets.build",
        "config_of": "pix2pix.nets.build",
        "critic_block": "pix2pix.nets.patchgan",
        "follow_hints": "pix2pix.nets.follow",
        "init_normal": "pix2pix.nets.blocks",
        "step_down": "pix2pix.nets.unet",
        "step_up": "pix2pix.nets.unet",
    },
)
