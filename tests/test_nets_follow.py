"""Following hints, on numpy and on torch."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from pix2pix.nets.follow import follow_hints


def three() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    unhinted, answer = rng.uniform(-0.5, 0.5, (2, 2, 2, 6, 8)).astype(np.float32)
    change = rng.uniform(-0.06, 0.06, unhinted.shape).astype(np.float32)
    change[:, :, 0] = 0
    return unhinted + change, unhinted, answer


def test_by_hand():
    unhinted, answer = np.full((2, 1, 2, 1, 4), [[[[[0.1]]]], [[[[0.3]]]]])
    ab = unhinted + np.array([[0, 0.03, 0.05, 0.2], [0, 0.04, 0, 0]])[None, :, None]
    ab[0, :, 0, 1] = 0.1 + 0.015, 0.1 + 0.02  # moved by 0.025, half of what decides
    expected = [[0.3, 0.215, 0.15, 0.3], [0.3, 0.22, 0.1, 0.1]]
    np.testing.assert_allclose(follow_hints(ab, unhinted, answer)[0, :, 0], expected)


def test_numpy_and_torch_give_the_same_and_their_own_kind():
    arrays = three()
    by_numpy = follow_hints(*arrays)
    by_torch = follow_hints(*map(torch.from_numpy, arrays))
    assert isinstance(by_numpy, np.ndarray) and by_numpy.dtype == np.float32
    assert isinstance(by_torch, torch.Tensor)
    np.testing.assert_allclose(by_numpy, by_torch.numpy(), atol=1e-7)
    assert np.array_equal(by_numpy[:, :, 0], (arrays[0] + (arrays[2] - arrays[1]))[:, :, 0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_where_nothing_moved_the_gradient_is_finite(dtype):
    ab, unhinted, answer = (torch.from_numpy(x).to(dtype).requires_grad_() for x in three())
    follow_hints(ab, unhinted, answer).float().square().sum().backward()
    assert all(x.grad is not None and x.grad.isfinite().all() for x in (ab, unhinted, answer))


def test_it_is_used_without_torch():
    code = "import sys, pix2pix.nets.follow; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
