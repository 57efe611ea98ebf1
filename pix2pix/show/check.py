"""Checks that a learner fills in."""

import numpy as np
import torch


def check(answer: object, truth: object, hint: str = "", *, tolerance: float = 1e-3) -> None:
    """Compare a learner's answer with the truth; say so when it is right, or not given yet.

    `...` (and None, which a function gives that returns nothing) is no answer yet. `truth` is the
    value itself, or a function answer -> bool. Numbers, arrays and tensors may differ by
    `tolerance`, relative to the largest of the truth; texts by capitals and spaces around them.

    Raises AssertionError, with the hint, when the answer is wrong.
    """
    if unanswered(answer):
        print("Your turn: put an answer where the dots are, and run the cell again.")
        return
    assert _agrees(answer, truth, tolerance), " ".join(["Not yet.", hint]).strip()
    print("Right.")


def unanswered(answer: object) -> bool:
    """Whether dots are left in an answer."""
    if isinstance(answer, (list, tuple)):
        return any(unanswered(part) for part in answer)
    return answer is ... or answer is None


def _agrees(answer: object, truth: object, tolerance: float) -> bool:
    if callable(truth):
        return bool(truth(answer))
    if isinstance(truth, str):
        return isinstance(answer, str) and answer.strip().lower() == truth.strip().lower()
    try:
        mine, its = _numbers(answer), _numbers(truth)
    except (TypeError, ValueError, RuntimeError):
        return False
    if mine.shape != its.shape or not np.isfinite(mine).all():
        return False
    largest = np.abs(its).max(initial=0)
    return bool((np.abs(mine - its) <= tolerance * (largest or 1)).all())


def _numbers(value: object) -> np.ndarray:
    """A number, list, array or tensor as float64."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return np.asarray(value, dtype=np.float64)
