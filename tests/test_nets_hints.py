"""What hints, attention and bins add to a BackboneUNet."""

import math

import pytest
import torch
from skimage import data

from pix2pix import nets, weights
from pix2pix.batch import Batch
from pix2pix.color import AB_SCALE, rgb_to_net
from pix2pix.nets import build_generator, config_of, follow_hints
from pix2pix.nets.bins import AbBins
from pix2pix.nets.blocks import Attention, pool_hints
from pix2pix.nets.gamut import gamut_cells, gamut_grid, gamut_index
from pix2pix.recipes import build

SMALL = {"net": "BackboneUNet", "decoder": [8, 8, 16, 16], "bottleneck": 16, "frozen": 0}
FULL = SMALL | {"in_channels": 4, "attention": 2, "bins": 10}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def inputs(hinted: bool = True) -> torch.Tensor:
    x = torch.zeros(1, 4, 64, 64)
    x[:, 0] = torch.rand(64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    if hinted:
        x[:, 1:, 10:15, 10:15] = torch.tensor([0.5, -0.2, 1.0]).view(1, 3, 1, 1)
    return x


def test_a_fresh_net_is_deaf_to_hints_and_learns_from_them():
    net, x = build_generator(FULL).eval(), inputs()
    assert torch.equal(net(x), net(x[:, :1]))
    net(x).square().sum().backward()
    assert all(conv.weight.grad.abs().sum() > 0 for conv in net.told)
    for conv in net.told:
        torch.nn.init.normal_(conv.weight)
    assert not torch.equal(net(x), net(x[:, :1]))


def test_no_hints_and_hints_of_nothing_are_one():
    net = build_generator(FULL).eval()
    for conv in net.told:
        torch.nn.init.normal_(conv.weight)
    x = inputs(hinted=False)
    torch.testing.assert_close(net(x), net(x[:, :1]))


@pytest.mark.parametrize("channels", [0, 2, 3, 5])
def test_other_numbers_of_channels_are_refused(channels):
    with pytest.raises(ValueError, match=f"in_channels={channels}: 1, or 4"):
        build_generator({**SMALL, "in_channels": channels})


def test_pooled_hints_keep_their_color():
    x = torch.zeros(1, 3, 8, 8)
    x[0, :, 1, 2] = torch.tensor([0.5, -0.25, 1])
    x[0, :, 4:6, 4] = torch.tensor([0.2, 0.4, 1]).view(3, 1)
    x[0, :, 7, 7] = torch.tensor([0.6, 0.0, 1])
    pooled = pool_hints(x, 4)
    torch.testing.assert_close(pooled[0, :, 0, 0], torch.tensor([4.0, -2.0, 1]))
    torch.testing.assert_close(pooled[0, :, 1, 1], 8 * torch.tensor([1.0 / 3, 0.8 / 3, 1 / 8]))
    assert not pooled[0, :, 0, 1].any() and not pooled[0, :, 1, 0].any()


def test_attention_changes_nothing_at_first_and_then_reaches_everywhere():
    attention = Attention(16, 2)
    x = torch.rand(1, 16, 4, 6)
    assert torch.equal(attention(x), x)
    torch.nn.init.normal_(attention.attend.out_proj.weight)
    changed = x.clone()
    changed[..., 0, 0] = 5
    assert (attention(changed) - attention(x))[0, :, 3, 5].abs().max() > 1e-5
    answers = attention(x) - x
    torch.testing.assert_close(attention(x.flip(3)) - x.flip(3), answers.flip(3))  # by place
    torch.testing.assert_close(attention(3 * x + 2) - (3 * x + 2), answers, atol=1e-3, rtol=0)


def test_the_bins_hold_every_color_of_a_photo():
    cells, grid, index = gamut_cells(10), gamut_grid(10), gamut_index(10)
    assert len(grid) == int(cells.sum()) and cells[len(cells) // 2, len(cells) // 2]
    assert not grid[index[len(cells) // 2, len(cells) // 2]].any()
    for i, (a, b) in enumerate(grid):
        assert index[int(a) // 10 + len(cells) // 2, int(b) // 10 + len(cells) // 2] == i
    photo = torch.from_numpy(data.coffee()).permute(2, 0, 1) / 255
    ab = (rgb_to_net(photo)[1] * AB_SCALE / 10).flatten(1)
    for corner in (ab.floor(), ab.ceil()):
        a, b = corner.long() + len(cells) // 2
        assert cells[a, b].all()


@pytest.mark.parametrize("step", [4, 51, -1])
def test_other_steps_are_refused(step):
    with pytest.raises(ValueError, match=f"bins={step}"):
        AbBins(4, step=step)


@pytest.mark.parametrize("step", [5, 50])
def test_the_finest_and_the_coarsest_steps(step):
    bins = AbBins(4, step=step)
    logits = torch.zeros(1, len(bins.colors), 2, 2)
    loss = bins.loss(logits, torch.zeros(1, 2, 2, 2))
    assert loss.item() == pytest.approx(math.log(len(bins.colors)), rel=1e-5)


def test_the_mean_color_and_the_mean_chroma_of_a_distribution():
    bins = AbBins(4, step=10)
    blue, yellow = torch.tensor([[0, -50], [0, 50]]) / AB_SCALE
    found = [int((bins.colors - color).norm(dim=1).argmin()) for color in (blue, yellow)]
    logits = torch.full((2, len(bins.colors), 3, 1), -50.0)
    logits[0, found[0]] = 50
    logits[1, found] = 50
    mean, chroma = bins.expected(logits.bfloat16())
    assert mean.shape == (2, 2, 3, 1) and chroma.shape == (2, 1, 3, 1)
    assert mean.dtype == chroma.dtype == torch.float32
    torch.testing.assert_close(mean[0, :, 1, 0], blue)
    torch.testing.assert_close(mean[1, :, 2, 0], torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(chroma, torch.full_like(chroma, 50 / AB_SCALE))
    with torch.autocast("cpu", torch.bfloat16):
        again = bins.expected(logits.bfloat16())
    assert torch.equal(again[0], mean) and torch.equal(again[1], chroma)


@pytest.mark.parametrize("scale", [1, 30, 3e4])
def test_the_means_are_those_of_a_softmax(scale):
    bins = AbBins(4, step=10)
    logits = scale * torch.randn(2, len(bins.colors), 5, 4)
    mean, chroma = bins.expected(logits)
    shares = logits.double().softmax(1)
    colors = bins.colors.double()
    for found, known in ((mean, colors), (chroma, colors.norm(dim=1, keepdim=True))):
        true = torch.einsum("bkhw,kc->bchw", shares, known).float()
        torch.testing.assert_close(found, true, atol=1e-6, rtol=1e-5)


def expected(net, logits):
    """The mean color and chroma of the net's distribution, at the input's size."""
    return (
        torch.nn.functional.interpolate(x, (64, 64), mode="bilinear")
        for x in net.bins.expected(logits)
    )


@pytest.mark.parametrize("blend", [0, 0.25, 1])
def test_the_answer_has_its_share_of_the_mean(blend):
    net = build_generator({**FULL, "blend": blend}).eval()
    torch.nn.init.normal_(net.bins.conv.weight)  # colors, not the gray of all being as likely
    x = inputs(hinted=False)
    ab, logits = net.heads(x)
    mean, _ = expected(net, logits)
    torch.testing.assert_close(net(x), (1 - blend) * ab + blend * mean)
    torch.testing.assert_close(net(x[:, :1]), net(x))
    assert (ab - mean).abs().max() > 0.05 and config_of(net)["blend"] == blend


@pytest.mark.parametrize("vivid", [1.5, 2.5, 1000])
def test_the_answer_has_the_chroma_of_likely_colors_and_its_own_hue(vivid):
    net = build_generator({**FULL, "blend": 0.9, "vivid": vivid}).eval()
    torch.nn.init.normal_(net.bins.conv.weight, std=1000)  # here and there quite sure
    x = inputs(hinted=False)
    ab, logits = net.heads(x)
    mean, chroma = expected(net, logits)
    dull, answer = ab.lerp(mean, 0.9), net(x)
    own, found = (ab.norm(dim=1, keepdim=True) for ab in (dull, answer))
    toss_up = own < 0.3 * chroma
    held = ~toss_up & (vivid * own < chroma)
    free = ~toss_up & ~held
    assert free.any() and toss_up.any() and (vivid == 1000 or held.any())
    close = {"atol": 1e-4, "rtol": 1e-3}
    torch.testing.assert_close(found[free], chroma[free], **close)
    torch.testing.assert_close(found[held], vivid * own[held], **close)
    paler = own[toss_up] / (0.3 * chroma[toss_up])
    raised = (chroma / own).clamp(max=vivid)[toss_up] * own[toss_up]
    torch.testing.assert_close(found[toss_up], raised * paler, **close)
    assert torch.cosine_similarity(answer, dull)[own[:, 0] > 1e-2].min() > 0.999
    assert config_of(net)["vivid"] == vivid


def test_where_the_answer_is_gray_it_stays_gray():
    net = build_generator({**FULL, "vivid": 1.5}).eval()
    torch.nn.init.zeros_(net.head.weight)
    torch.nn.init.zeros_(net.head.bias)
    assert not net(inputs(hinted=False)).any()


def test_both_passes_drop_the_same():
    net = build_generator({**FULL, "blend": 0.5, "vivid": 1.5, "dropout": 0.5})
    torch.nn.init.normal_(net.bins.conv.weight)  # hints change nothing yet: their layers are zero
    answers = []
    for x in (inputs(hinted=True), inputs(hinted=True)[:, :1]):
        torch.manual_seed(0)
        answers.append(net(x))
    torch.testing.assert_close(*answers)
    assert not torch.allclose(net(x), answers[1])  # another draw


def test_a_distribution_sure_of_gray_leaves_finite_gradients():
    net = build_generator({**FULL, "blend": 0.5, "vivid": 1.5})
    gray = int(net.bins.colors.norm(dim=1).argmin())
    with torch.no_grad():
        net.bins.conv.weight.zero_()
        net.bins.conv.bias.zero_()[gray] = 120
    net(inputs(hinted=False)).square().sum().backward()
    grads = [p.grad for p in net.parameters() if p.grad is not None]
    assert grads and all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("vivid", [0, 1.5])
def test_where_hints_change_the_color_the_first_head_answers_alone(vivid):
    net = build_generator({**FULL, "blend": 0.5, "vivid": vivid}).eval()
    torch.nn.init.normal_(net.bins.conv.weight)
    for layer in net.told:
        torch.nn.init.normal_(layer.weight, std=0.05)
    hinted, not_hinted = inputs(), inputs(hinted=False)
    told, untold = net.heads(hinted)[0], net.heads(not_hinted)[0]
    moved = (told - untold).norm(dim=1, keepdim=True)
    much = (moved >= 0.05).expand_as(told)
    assert much.any() and not much.all()
    torch.testing.assert_close(net(hinted)[much], told[much])
    own, left = net(not_hinted) - untold, (1 - moved / 0.05).clamp(min=0)
    torch.testing.assert_close(net(hinted), told + own * left, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "more",
    [
        {"blend": 1.5},
        {"blend": -0.1},
        {"blend": 0.5, "bins": 0},
        {"vivid": 0.9},
        {"vivid": -1},
        {"vivid": 1.2, "bins": 0},
    ],
)
def test_other_parts_are_refused(more):
    name, value = next(iter(more.items()))
    with pytest.raises(ValueError, match=f"{name}={value}: a "):
        build_generator({**FULL, **more})


def test_the_loss_of_the_bins_is_cross_entropy_with_neighbors():
    bins = AbBins(4, step=10)
    uniform = torch.zeros(1, len(bins.colors), 2, 3)
    ab = torch.tensor([12.5, -34.0]).view(1, 2, 1, 1).expand(1, 2, 2, 3) / AB_SCALE
    assert math.isclose(bins.loss(uniform, ab), math.log(len(bins.colors)), rel_tol=1e-5)
    logits = torch.randn(1, len(bins.colors), 1, 1)
    log_p = logits.log_softmax(1).flatten()
    expected = 0.0
    for a, b, share in ((10, -40, 0.3), (10, -30, 0.45), (20, -40, 0.1), (20, -30, 0.15)):
        which = (bins.colors * AB_SCALE - torch.tensor([a, b])).norm(dim=1).argmin()
        expected -= share * log_p[which]
    torch.testing.assert_close(bins.loss(logits, ab[..., :1, :1]), expected)
    rough = bins.loss(logits.bfloat16(), ab[..., :1, :1])
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, expected, atol=0.02, rtol=0)


def test_colors_out_of_the_gamut_have_a_loss_too():
    bins = AbBins(4, step=10)
    ab = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).view(1, 2, 1, 2)
    assert bins.loss(torch.zeros(1, len(bins.colors), 1, 2), ab).isfinite()


def test_the_bins_colors_are_where_the_net_is():
    assert AbBins(4, step=10).to("meta").colors.device.type == "meta"


def test_a_distribution_that_fits_has_the_color_as_its_mean():
    bins = AbBins(4, step=10)
    ab = torch.rand(1, 2, 4, 4) * 0.4 - 0.2
    logits = torch.zeros(1, len(bins.colors), 4, 4, requires_grad=True)
    optimizer = torch.optim.Adam([logits], 0.3)
    for _ in range(200):
        optimizer.zero_grad()
        bins.loss(logits, ab).backward()
        optimizer.step()
    mean = torch.einsum("nchw,cd->ndhw", logits.softmax(1), bins.colors)
    torch.testing.assert_close(mean, ab, atol=2e-3, rtol=0)


def test_both_heads_of_one_pass():
    net = build_generator(FULL).eval()
    ab, logits = net.heads(inputs())
    assert torch.equal(ab, net(inputs()))
    assert logits.shape == (1, len(gamut_grid(10)), 16, 16)
    torch.testing.assert_close(net.heads(inputs(), stride=2)[1], logits[..., ::2, ::2])
    with pytest.raises(ValueError, match="no bins"):
        build_generator(SMALL).heads(inputs())


@pytest.mark.parametrize("blend", [0, 0.5])
def test_parts_of_one_pass_joined_are_the_answer(blend):
    net = build_generator({**FULL, "blend": blend, "vivid": 1.5}).eval()
    for layer in (net.bins.conv, *net.told):
        torch.nn.init.normal_(layer.weight, std=0.05)
    batch = torch.cat([inputs(), inputs(hinted=False)])
    ab, answer, logits = net.parts(batch)
    for part, one in zip((ab, logits), net.heads(batch), strict=True):
        assert torch.equal(part, one)
    torch.testing.assert_close(answer[1:], net(inputs(hinted=False)), atol=1e-6, rtol=1e-4)
    joined = follow_hints(ab[:1], ab[1:], answer[1:])
    torch.testing.assert_close(joined, net(inputs()), atol=1e-6, rtol=1e-4)
    with pytest.raises(ValueError, match="no bins"):
        build_generator(SMALL).parts(inputs())


def test_weights_of_a_net_with_all_of_it_come_back(tmp_path):
    net = build_generator(FULL).eval()
    path = tmp_path / "net.safetensors"
    weights.save(path, net, weights.Header(config_of(net)), dtype=torch.float32)
    again, header = weights.load(path)
    assert header.in_channels == 4
    for one, other in zip(again.heads(inputs()), net.heads(inputs()), strict=True):
        torch.testing.assert_close(one, other)


def test_a_net_grows_from_a_smaller_one():
    small, large = build_generator(SMALL).eval(), build_generator(FULL).eval()
    new = weights.grow(large, small.state_dict())
    assert {name.split(".")[0] for name in new} == {"told", "attention", "bins"}
    torch.testing.assert_close(large(inputs()), small(inputs()[:, :1]))


def test_further_channels_of_a_convolution_start_at_zero():
    small, large = nets.UNet(width=4, depth=2), nets.UNet(width=4, depth=2, in_channels=4)
    assert weights.grow(large, small.state_dict()) == ["down.0.0.weight"]
    torch.testing.assert_close(large.eval()(inputs()), small.eval()(inputs()[:, :1]))


def test_nothing_else_grows():
    small = nets.UNet(width=4, depth=2)
    with pytest.raises(ValueError, match="tensors differ"):
        weights.grow(nets.UNet(width=6, depth=2), small.state_dict())
    with pytest.raises(ValueError, match="tensors differ"):
        weights.grow(nets.UNet(width=4, depth=1), small.state_dict())
    hinted = nets.UNet(width=4, depth=2, in_channels=4)
    with pytest.raises(ValueError, match="tensors differ"):  # nor is anything cut off
        weights.grow(small, hinted.state_dict())


def hinted_batch() -> Batch:
    x = inputs()
    return Batch(x[:, :1], torch.rand(1, 2, 64, 64) * 0.4 - 0.2, None, x[:, 1:])


def test_the_recipe_learns_both_heads_from_hinted_photos():
    recipe = build("hints", generator=FULL, bins=0.1)
    batch = hinted_batch()
    fake = recipe.train()(batch)
    terms = recipe.generator_loss(batch, fake, adversarial=False)
    assert set(terms) == {"l1", "bins"}
    assert math.isclose(terms["bins"].item() / 0.1, math.log(304), rel_tol=0.3)
    sum(terms.values()).backward()
    assert recipe.generator.told[0].weight.grad.abs().sum() > 0
    assert recipe.generator.bins.conv.weight.grad.abs().sum() > 0


def test_the_distribution_is_learned_from_every_second_place():
    recipe, batch = build("hints", generator=FULL, bins=0.1, beta=0.2), hinted_batch()
    ab, logits = recipe(batch)
    terms = recipe.generator_loss(batch, (ab, logits), adversarial=False)
    cells = batch.ab.unflatten(3, (16, 4)).unflatten(2, (16, 4)).mean((3, 5))  # (1, 2, 16, 16)
    surprise = recipe.generator.bins.loss(logits, cells[..., ::2, ::2])
    torch.testing.assert_close(terms["bins"], 0.1 * surprise)
    huber = torch.nn.functional.smooth_l1_loss(ab, batch.ab, beta=0.2)
    torch.testing.assert_close(terms["l1"], huber)


def test_the_recipe_takes_the_settings_of_the_one_below():
    settings = {"lr": 0.02, "encoder_lr": 0.5, "weight_decay": 0.3, "beta": 0.4, "thaw": 7}
    recipe = build("hints", generator=FULL | {"frozen": 2}, **settings)
    assert settings.items() <= vars(recipe).items()


@pytest.mark.parametrize("keep", [True, False])
def test_norms_keep_their_statistics(keep):
    recipe = build("hints", generator=FULL, keep_norms=keep).train()
    assert recipe.training
    norm = recipe.generator.squeeze[1]
    before = norm.running_mean.clone()
    recipe(hinted_batch())
    assert torch.equal(norm.running_mean, before) == keep


def test_hints_are_learned_while_the_colors_stay():
    recipe = build("hints", generator=FULL, lr=0.02, keep_colors=True).train()
    net, batch = recipe.generator, hinted_batch()
    before = {hinted: net.heads(inputs(hinted)) for hinted in (True, False)}
    optimizer, _ = recipe.optimizers()
    for _ in range(3):
        optimizer.zero_grad()
        sum(recipe.generator_loss(batch, recipe(batch), adversarial=False).values()).backward()
        optimizer.step()
    after = {hinted: net.heads(inputs(hinted)) for hinted in (True, False)}
    assert torch.equal(after[False][0], before[False][0])
    assert not torch.equal(after[False][1], before[False][1])  # the distribution has learned
    assert not torch.allclose(after[True][0], before[True][0], atol=1e-4)


def test_only_nets_with_hints_keep_their_colors():
    with pytest.raises(ValueError, match="takes no hints"):
        build("hints", generator=FULL | {"in_channels": 1}, keep_colors=True)


def test_without_dropout_at_work_the_random_state_is_not_touched(monkeypatch):
    """Threads share it: a variant that is drawn beside would no longer be that of its seed."""
    asked, get = [], torch.get_rng_state
    monkeypatch.setattr(torch, "get_rng_state", lambda: asked.append(1) or get())
    net = build_generator(FULL | {"blend": 0.5, "dropout": 0.5})
    net.eval()(inputs())
    assert not asked
    net.train()(inputs())
    assert asked
