"""What tells a photo from its negative: a reader of the encoder's maps, and its fit."""

import fit_polarity
import numpy as np
import pytest
import torch
from test_nets_light import SMALL
from tiny_runs import make_photos

from pix2pix import Colorizer, weights
from pix2pix.nets import build_generator


@pytest.fixture
def net():
    torch.manual_seed(0)
    return build_generator(SMALL | {"in_channels": 4, "tells_negatives": True}).eval()


def test_a_glimpse_is_the_moments_of_two_maps(net):
    L = torch.rand(2, 4, 64, 96) * 2 - 1
    maps = []
    hooks = [net.encoder[i].register_forward_hook(lambda m, x, y: maps.append(y)) for i in (11, 17)]
    found = net.glimpse(L)
    for hook in hooks:
        hook.remove()
    finer, deepest = (m.flatten(2) for m in maps)
    moments = [deepest.mean(2), finer.mean(2), finer.std(2, unbiased=False)]
    torch.testing.assert_close(found.flatten(1), torch.cat(moments, 1))
    torch.testing.assert_close(net.glimpse(L[:, :1]), found)  # hints do not count
    torch.testing.assert_close(net.polarity(L), net.positive(found))


def test_the_color_is_what_it_was_without(net):
    torch.manual_seed(0)
    plain = build_generator(SMALL | {"in_channels": 4}).eval()
    weights.grow(net, plain.state_dict())
    L = torch.rand(1, 4, 64, 64) * 2 - 1
    assert torch.equal(plain(L), net(L))
    with pytest.raises(ValueError, match="tells_negatives"):
        plain.polarity(L)
    assert plain.asides == ("features",) and net.asides == ("features", "polarity")


def test_a_net_that_does_not_tell_is_trained_from_one_that_does(net):
    plain = build_generator(SMALL | {"in_channels": 4}).eval()
    assert weights.grow(plain, net.state_dict()) == []
    L = torch.rand(1, 4, 64, 64)
    torch.testing.assert_close(plain(L), net(L))
    assert not any(p.requires_grad for p in net.positive.parameters())
    with pytest.raises(ValueError, match="1 of .* differ .*other"):
        weights.grow(plain, net.state_dict() | {"other.weight": torch.zeros(1)})


def test_the_fit_is_where_the_penalized_likelihood_is_flat():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(200, 5, generator=rng, dtype=torch.float64) * torch.tensor([1, 2, 3, 4, 5])
    x[:, 1] += 2  # says most
    scale = x.square().mean(0).sqrt()
    w = (fit_polarity.fit(x, ridge=0.1) * scale).requires_grad_()
    loss = -torch.nn.functional.logsigmoid(x / scale @ w).sum() + 0.05 * len(x) * w.square().sum()
    loss.backward()
    assert w.argmax() == 1 and w.grad.abs().max() < 1e-3


@pytest.mark.slow
def test_it_is_written_into_weights_which_then_tell(net, tmp_path, monkeypatch, capsys):
    """On pictures that are light above: the inverse is light below."""
    source = tmp_path / "net.safetensors"
    config = {k: v for k, v in net.config.items() if k != "tells_negatives"}
    weights.save(source, build_generator(config), weights.Header(config, area=64 * 64))
    photos = make_photos(tmp_path / "photos", count=40, side=64)
    argv = f"fit {source} {photos} --side 64 --cache {tmp_path / 'cache'} --val {photos}"
    monkeypatch.setattr("sys.argv", argv.split())
    fit_polarity.main()
    assert "of negatives are found" in capsys.readouterr().out
    fitted, header = weights.load(source)
    assert header.generator["tells_negatives"] and fitted.positive.weight.abs().max() > 0
    colorizer = Colorizer(fitted, header)
    gray = np.random.default_rng(0).integers(0, 255, (64, 64, 1), np.uint8).repeat(3, 2)
    assert not (colorizer.is_negative(gray) and colorizer.is_negative(255 - gray))
