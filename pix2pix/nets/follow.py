"""How an answer follows hints, on numpy arrays and torch tensors alike; nothing is imported."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Array = TypeVar("Array", np.ndarray, Tensor)

_MOVED = 0.05  # change of ab by hints, from which on the distribution does not count


def follow_hints(ab: "Array", unhinted: "Array", answer: "Array") -> "Array":
    """Join a net's ab with hints to its answer without -> ab (B, 2, H, W), of the same kind.

    `ab` and `unhinted` are the first head's with hints and without, `answer` what that and the
    distribution over colors give without (see `BackboneUNet.parts`), all (B, 2, H, W) in [-1, 1].
    Where hints change nothing, the result is `answer`; where they change ab by 0.05 or more, `ab`.
    """
    change = (ab - unhinted) ** 2
    # the least square keeps the root's gradient finite, and is nothing beside 0.05
    moved = (change[:, :1] + change[:, 1:]).clip(min=1e-24) ** 0.5
    return ab + (answer - unhinted) * (1 - moved / _MOVED).clip(min=0)
