"""Values of chance layers: their shapes, their statistics, and that a seed means the same again."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from pix2pix.colorize.engines.chance import Chance, draw, from_json, neutral, to_json
from pix2pix.colorize.engines.torch import TorchEngine, describe, with_values
from pix2pix.nets import build_generator

DROPS = Chance("dropout", 0.25, 32, 4, 1.0)
PLANES = Chance("dropout2d", 0.5, 4000, 8, 1.0)
NOISE = Chance("noise", 0.0, 4000, 1, 0.5)
LIVELY = {"net": "UNet", "width": 2, "depth": 4, "dropout": 0.5, "noise": 2}


def test_shapes_and_neutral_values():
    shapes = [x.shape for x in neutral([DROPS, PLANES, NOISE], 64, 96, batch=3)]
    assert shapes == [(3, 32, 16, 24), (3, 4000, 1, 1), (3, 4000, 1, 1)]
    assert [x.shape for x in draw([DROPS, PLANES, NOISE], 64, 96, 0, batch=3)] == shapes
    values = neutral([DROPS, PLANES, NOISE], 64, 96)
    assert all(
        (x == c.value).all() and x.dtype == np.float32
        for x, c in zip(values, (DROPS, PLANES, NOISE), strict=True)
    )


def test_dropout_keeps_its_share_and_the_mean():
    (values,) = draw([DROPS], 256, 256, 5)
    assert set(np.unique(values)) == {np.float32(0), np.float32(4 / 3)}
    assert values.mean() == pytest.approx(1, abs=0.01)
    assert not draw([Chance("dropout", 1.0, 3, 1, 1.0)], 8, 8, 5)[0].any()


def test_noise_is_normal():
    (values,) = draw([NOISE], 64, 64, 5)
    assert values.mean() == pytest.approx(0, abs=0.05) and values.std() == pytest.approx(
        1, abs=0.05
    )
    assert (np.abs(values) < 1).mean() == pytest.approx(math.erf(0.5**0.5), abs=0.03)


def test_seeds_and_layers_differ_and_a_batch_has_one_take():
    one, other = draw([NOISE, NOISE], 8, 8, 1, batch=2)
    assert np.array_equal(one[0], one[1])
    for x in (other, draw([NOISE], 8, 8, 2)[0]):
        assert abs(np.corrcoef(one[0].ravel(), x[0].ravel())[0, 1]) < 0.06
    assert np.array_equal(draw([NOISE, NOISE], 8, 8, 1)[1], other[:1])


def test_draws_never_change():
    """The take of a seed is the same in the next version."""
    noise, drops = draw([Chance("noise", 0, 3, 1, 0), Chance("dropout", 0.5, 1, 1, 1)], 2, 4, 7)
    assert noise.ravel().tolist() == pytest.approx([1.635276, 0.872261, 0.055966], abs=1e-6)
    assert drops.ravel().tolist() == [2, 0, 2, 2, 2, 2, 0, 0]


def test_json_there_and_back():
    assert from_json(to_json([DROPS, PLANES, NOISE])) == [DROPS, PLANES, NOISE]
    assert from_json("[]") == []


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "7",
        "[1]",
        '[{"kind": "dropout"}]',
        to_json([Chance("alpha", 0.5, 1, 1, 1.0)]),  # type: ignore[arg-type]
        to_json([Chance("dropout", 1.5, 1, 1, 1.0)]),
        to_json([Chance("dropout", 0.5, 0, 1, 1.0)]),
        to_json([Chance("noise", 0.0, 2**40, 1, 1.0)]),
        to_json([Chance("noise", 0.0, 1, 1, float("nan"))]),
    ],
)
def test_other_json_is_refused(text):
    with pytest.raises(ValueError):
        from_json(text)


def lively(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_generator(LIVELY).eval()


def picture(batch: int = 1) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (batch, 1, 32, 48)).astype(np.float32)


def test_the_layers_of_a_net_are_described():
    assert describe(lively()) == [
        Chance("noise", 0.0, 2, 1, 0.0),
        Chance("dropout", 0.5, 4, 4, 1.0),
        Chance("dropout", 0.5, 2, 2, 1.0),
    ]
    hinted = {"net": "BackboneUNet", "encoder": "squeezenet1_1", "decoder": [4, 4, 4]}
    net = build_generator({**hinted, "bottleneck": 8, "dropout": 0.1, "frozen": 0})
    assert describe(net) == [Chance("dropout2d", 0.1, 8, 16, 1.0)]
    assert describe(build_generator({"net": "DoubleConvUNet", "width": 2, "depth": 2})) == []


def test_another_layer_of_chance_is_refused():
    net = lively()
    net.up[0].append(nn.AlphaDropout(0.5))
    with pytest.raises(ValueError, match="not known here: AlphaDropout"):
        TorchEngine(net)


def test_without_values_and_with_neutral_ones_it_is_the_net():
    net, x = lively(), picture(batch=2)
    engine = TorchEngine(net)
    expected = net(torch.from_numpy(x)).detach().numpy()
    assert np.array_equal(engine.run(x)["answer"], expected)
    given = engine.run(x, neutral(engine.chances, 32, 48, batch=2))["answer"]
    assert np.array_equal(given, expected)


def test_values_do_what_the_layers_do():
    """A dropout of all zeros cuts a level off, and noise is a plane of its value."""
    net, x = lively(), picture()
    engine = TorchEngine(net)
    noise, low, high = neutral(engine.chances, 32, 48)
    cut = engine.run(x, [noise, low, 0 * high])["answer"]
    with torch.no_grad():
        net.up[2][2].weight.zero_()  # the norm before the second dropout
        net.up[2][2].bias.zero_()
    assert np.allclose(cut, engine.run(x)["answer"], atol=1e-6)
    net.noise.value = 0.7
    assert np.array_equal(
        TorchEngine(net).run(x)["answer"], engine.run(x, [noise + 0.7, low, high])["answer"]
    )


def test_the_net_stays_as_it_was():
    net = lively()
    kinds = [type(module) for module in net.modules()]
    twin = with_values(net)
    TorchEngine(net).run(picture())
    assert [type(module) for module in net.modules()] == kinds
    assert not any(module._forward_pre_hooks for module in net.modules())
    assert all(a is b for a, b in zip(net.parameters(), twin.parameters(), strict=True))
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_threads_share_an_engine_and_do_not_see_each_others_values():
    engine, x = TorchEngine(lively()), picture()
    takes = [draw(engine.chances, 32, 48, seed) for seed in range(40)]
    alone = [engine.run(x, take)["answer"] for take in takes]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda take: engine.run(x, take)["answer"], takes))
    assert all(map(np.array_equal, alone, together))
    assert not np.array_equal(alone[0], alone[1])


def test_a_device_out_of_memory_is_an_error_of_memory():
    engine = TorchEngine(lively())

    def starve(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    engine.net.register_forward_pre_hook(starve)
    with pytest.raises(MemoryError, match="^cpu: CUDA out of memory"):
        engine.run(picture())
