"""What the generators ask of their arguments and inputs."""

from torch import Tensor

DEEPEST = 12  # levels: then a side is 4,096 pixels at least


def check_sides(x: Tensor, multiple: int) -> None:
    """Raise ValueError unless height and width of x (B, C, H, W) are multiples of `multiple`."""
    h, w = x.shape[-2:]
    if h % multiple or w % multiple or not (h and w):
        raise ValueError(
            f"{h}x{w} input: both sides must be multiples of {multiple}; resize it first"
        )


def check_depth(depth: int) -> None:
    """Raise ValueError unless 1 <= depth <= 12."""
    if not 1 <= depth <= DEEPEST:
        raise ValueError(f"depth={depth}: 1 to {DEEPEST}")


def predicted(out_channels: int) -> str:
    """What a generator of so many channels predicts: "ab" or "rgb". Raises ValueError otherwise."""
    if out_channels not in (2, 3):
        raise ValueError(f"out_channels={out_channels}: 2 for ab, 3 for rgb")
    return "ab" if out_channels == 2 else "rgb"
