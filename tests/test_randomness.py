"""Counter-based randomness against splitmix64's published numbers, and its statistics."""

import numpy as np
import pytest
import torch
from scipy import stats

from pix2pix.randomness import _mix, normal_like, permutation, random_bits, uniform

POSITIONS = np.arange(20_000)


def test_the_scrambler_is_splitmix64():
    # the first outputs of Vigna's splitmix64.c from the state 1234567
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        states = np.uint64(1234567) + np.arange(5, dtype=np.uint64) * golden
    assert _mix(states).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_draws_never_change():
    """A run that is resumed by a later version must see the crops that it would have seen."""
    drawn = [int(random_bits(0, p, s)[0]) for p, s in ((0, 0), (1, 0), (0, 1), (10**12, 60))]
    assert drawn == [0x238275BC38FCBE91, 0x2F32A78496C67C60, 0x44E5B98100C67FB0, 0x1922B27B3B25614B]
    assert uniform(7, 3, 2)[0] == 0.6680196744534513
    assert permutation(8, 3, 1).tolist() == [0, 7, 6, 1, 5, 3, 2, 4]


def test_one_draw_depends_on_seed_position_and_stream_alone():
    whole = random_bits(5, POSITIONS, 3)
    assert np.array_equal(whole[100:110], random_bits(5, POSITIONS[100:110], 3))
    assert random_bits(5, 104, 3) == whole[104]
    assert np.array_equal(
        random_bits(5, 104, np.arange(9)), [random_bits(5, 104, s)[0] for s in range(9)]
    )
    for other in (
        random_bits(6, POSITIONS, 3),
        random_bits(5, POSITIONS + 1, 3),
        random_bits(5, POSITIONS, 4),
    ):
        assert not (whole == other).any()
    assert len(np.unique(whole)) == len(POSITIONS)


@pytest.mark.parametrize("seed", [-1, 0, 2**63, 2**64 - 1])
def test_any_seed_will_do(seed):
    u = uniform(seed, POSITIONS, 0)
    assert u.dtype == np.float64 and ((0 <= u) & (u < 1)).all()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("stream", [0, 20])
def test_uniform_is_uniform(seed, stream):
    assert stats.kstest(uniform(seed, POSITIONS, stream), "uniform").pvalue > 0.001


@pytest.mark.parametrize("others", [(0, 0, 1), (0, 1, 0), (1, 0, 0)])
def test_neighboring_seeds_positions_and_streams_are_unrelated(others):
    seed, shift, stream = others
    a, b = uniform(0, POSITIONS, 0), uniform(seed, POSITIONS + shift, stream)
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(a))


def test_uniform_never_reaches_one():
    assert (np.uint64(2**64 - 1) >> np.uint64(11)) * 2.0**-53 < 1


def test_normal_is_normal_and_independent_of_the_batch():
    x = torch.empty(6, 1, 40, 30)
    noise = normal_like(x, 3, np.arange(6), 30)
    assert noise.shape == x.shape and noise.dtype == torch.float32
    assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 0.001
    assert torch.equal(noise[[4, 1]], normal_like(x[:2], 3, np.array([4, 1]), 30))
    for other in (normal_like(x, 4, np.arange(6), 30), normal_like(x, 3, np.arange(6), 31)):
        assert not torch.equal(noise, other)
    state = torch.get_rng_state()
    normal_like(x, 3, np.arange(6), 30)
    assert torch.equal(state, torch.get_rng_state())  # nobody else's draws move
    assert normal_like(x[:0], 3, np.arange(0), 30).shape == (0, 1, 40, 30)


def test_each_epoch_has_an_order_of_its_own():
    orders = [permutation(100, 0, epoch) for epoch in range(3)] + [permutation(100, 1, 0)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert np.array_equal(orders[0], permutation(100, 0, 0))
