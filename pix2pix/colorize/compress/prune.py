"""Pruning: channels that matter least leave a net, and a narrower net of the same class stays.

What matters is measured on photos: how much the error would change without a channel, to first
order. Channels depend on each other, as both terms of a sum do: torch-pruning finds which ones have
to leave together.
Sources: Molchanov et al. 2019, https://arxiv.org/abs/1906.10771; Fang et al. 2023,
https://arxiv.org/abs/2301.12900.
"""

import copy
import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch_pruning
from torch import Tensor, nn
from torch_pruning.pruner.function import BasePruningFunc

from pix2pix.color import rgb8_to_lab
from pix2pix.colorize.colorizer import Colorizer
from pix2pix.colorize.compress.photos import inputs_of
from pix2pix.errors import ExportError, one_line
from pix2pix.nets.blocks import Attention
from pix2pix.nets.build import Config, build_generator, config_of
from pix2pix.weights.file import blank, check_shapes
from pix2pix.weights.header import Header

_WIDTHS = ("width", "decoder", "bottleneck")  # arguments of nets that are counts of channels
_STEP = 4  # of which widths are multiples: processors take channels in fours, eights ...
_DEAD = 1e-9  # of the largest score, below which a channel does nothing
_CONVS = (nn.Conv2d, nn.ConvTranspose2d)


def prune(
    generator: nn.Module, header: Header, photos: Sequence[np.ndarray], *, keep: float
) -> tuple[nn.Module, Header]:
    """Narrow a color net to a share `keep` of its channels -> the net, in eval mode, its header.

    Channels that do nothing on the photos, rgb (H, W, 3) uint8, leave in any case: with `keep=1`
    those alone. Every argument of the net that is a width shrinks, an encoder stays as it is; the
    header has the new ones. Its colors are off until it is trained on. Raises ValueError unless
    0 < keep <= 1, and ExportError for a net that cannot be narrowed.
    """
    if not 0 < keep <= 1:
        raise ValueError(f"keep={keep}: a share of the channels, above 0 and up to 1")
    net = copy.deepcopy(generator).eval().requires_grad_(True)
    _gather_gradients(net, header, photos)
    graph = _dependencies(net, header.in_channels)
    scorer = torch_pruning.importance.GroupTaylorImportance()
    found = [(g[0].dep, scorer(g)) for g in graph.get_all_groups(root_module_types=[*_CONVS])]
    names = {module: name for name, module in net.named_modules()}
    alive = {
        names[dep.target.module]: float((scores > _DEAD * scores.max()).float().mean())
        for dep, scores in found
    }
    config = _narrowed(config_of(generator), keep, alive)
    target = dict(blank(config).named_modules())
    for dep, scores in found:
        root = dep.target.module
        spare = root.out_channels - target[names[root]].out_channels
        if spare > 0:
            least = scores.argsort()[:spare].tolist()
            graph.get_pruning_group(root, dep.handler, least).prune()
    return _built(config, net), dataclasses.replace(header, generator=config)


def _dependencies(net: nn.Module, in_channels: int) -> torch_pruning.DependencyGraph:
    """Find which layers' channels depend on which, by following an example through the net."""
    side = 2 * int(net.multiple)  # type: ignore[arg-type]
    attentions = [m for m in net.modules() if isinstance(m, Attention)]
    for module in attentions:  # as one layer: inside, the library takes pixels for channels
        module.forward = _Same.apply  # type: ignore[method-assign]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the library uses of torch
        graph = torch_pruning.DependencyGraph().build_dependency(
            net,
            torch.zeros(1, in_channels, side, side),
            # of a distribution over colors no more than its logits: it is no layer of channels
            forward_fn=lambda net, x: net.heads(x) if getattr(net, "bins", None) else net(x),
            customized_pruners={Attention: _AttentionPruner()},
        )
    for module in attentions:
        del module.forward
    return graph


class _Same(torch.autograd.Function):
    """A layer that changes nothing, with a place of its own in the graph of gradients."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:
        return grad


def _gather_gradients(net: nn.Module, header: Header, photos: Sequence[np.ndarray]) -> None:
    """Let each parameter's `grad` be the mean size of its gradient over photos, of the L1 error."""
    model = Colorizer(net, header)
    parameters = list(net.parameters())
    sums = [torch.zeros_like(p) for p in parameters]
    for rgb, inputs in zip(photos, inputs_of(model, photos), strict=True):
        net.zero_grad()
        answer = net(torch.from_numpy(inputs["source"][:1]))
        small = model._shrink(rgb)
        if header.head == "rgb":
            truth = torch.from_numpy(small.copy()).permute(2, 0, 1) / 127.5 - 1
        else:
            truth = torch.from_numpy(rgb8_to_lab(small)[1:] / np.float32(header.ab_scale))
        (answer[0] - truth).abs().mean().backward()
        for total, parameter in zip(sums, parameters, strict=True):
            if parameter.grad is not None:
                total += parameter.grad.abs() / len(photos)
    for total, parameter in zip(sums, parameters, strict=True):
        parameter.grad = total


def _narrowed(config: Config, keep: float, alive: Mapping[str, float]) -> Config:
    """A net's arguments with narrower widths; `alive` is a share of each convolution's channels."""
    step = math.lcm(_STEP, config.get("attention") or 1)  # heads share a width
    narrowed = dict(config)
    for place, width in _widths(config).items():
        wider = _with(config, place, width + step)
        ruled = {name for name, _ in _channels(config) ^ _channels(wider)}
        living = max((alive[name] for name in ruled & alive.keys()), default=1.0)
        used = step * math.ceil(width * living / step - 1e-6)
        wanted = min(width, used, step * round(width * keep / step))
        narrowed = _with(narrowed, place, max(step, wanted))
    return narrowed


_Place = tuple[str, int | None]
"""An argument's name, and where the width is among several."""


def _widths(config: Config) -> dict[_Place, int]:
    """The widths among a net's arguments. Raises ExportError for a net without."""
    found: dict[_Place, int] = {}
    for key in _WIDTHS:
        given = config.get(key)
        if isinstance(given, int):
            found[key, None] = given
        elif given is not None:
            found |= {(key, i): width for i, width in enumerate(given)}
    if not found:
        raise ExportError(f"{config['net']} has no width to make smaller: it cannot be pruned")
    return found


def _with(config: Config, place: _Place, width: int) -> Config:
    """A net's arguments with another width in one place."""
    key, i = place
    if i is None:
        return {**config, key: width}
    return {**config, key: [*config[key][:i], width, *config[key][i + 1 :]]}


def _channels(config: Config) -> set[tuple[str, int]]:
    """The convolutions of a net and how many channels each gives."""
    net = blank(config)
    return {(name, m.out_channels) for name, m in net.named_modules() if isinstance(m, _CONVS)}


def _built(config: Config, net: nn.Module) -> nn.Module:
    """A net of the arguments `config` with the tensors of `net`."""
    built = build_generator(config)
    state = {name: tensor.detach() for name, tensor in net.state_dict().items()}
    try:
        check_shapes(built, {name: list(tensor.shape) for name, tensor in state.items()})
    except ValueError as error:
        raise ExportError(f"{config['net']} cannot be pruned: {one_line(error)}") from error
    built.load_state_dict(state)
    return built.eval().requires_grad_(False)


class _AttentionPruner(BasePruningFunc):
    """Narrows an `Attention`: its map by the given channels, each head by its own weakest ones."""

    TARGET_MODULES = Attention

    def prune_out_channels(self, layer: Attention, idxs: list[int]) -> nn.Module:
        """Take the channels `idxs` out of the map."""
        attend, gone = layer.attend, set(idxs)
        heads, before = attend.num_heads, attend.head_dim
        kept = [i for i in range(attend.embed_dim) if i not in gone]
        after = len(kept) // heads
        q, k, v = attend.in_proj_weight.detach().chunk(3)  # each (C of the heads, C of the map)
        biases = attend.in_proj_bias.detach().view(3, -1)
        out = attend.out_proj.weight.detach()  # (C of the map, C of the heads)
        asked = _strongest(q.norm(dim=1) * k.norm(dim=1), heads, after)
        told = _strongest(v.norm(dim=1) * out.norm(dim=0), heads, after)
        same = (after / before) ** 0.5  # attention divides by the root of a head's width
        rows = (q[asked] * same, k[asked], v[told])
        shifts = (biases[0][asked] * same, biases[1][asked], biases[2][told])
        shift = attend.out_proj.bias.detach()[kept]
        layer.attend = nn.MultiheadAttention(len(kept), heads, batch_first=True)
        state = {
            "in_proj_weight": torch.cat([row[:, kept] for row in rows]),
            "in_proj_bias": torch.cat(shifts),
            "out_proj.weight": out[kept][:, told],
            "out_proj.bias": shift,
        }
        layer.attend.load_state_dict(state)
        norm = {name: value[kept] for name, value in layer.norm.state_dict().items()}
        layer.norm = nn.LayerNorm(len(kept))
        layer.norm.load_state_dict(norm)
        return layer

    prune_in_channels = prune_out_channels

    def get_out_channels(self, layer: Attention) -> int:
        """Channels of the map."""
        return layer.attend.embed_dim

    get_in_channels = get_out_channels


def _strongest(scores: Tensor, heads: int, count: int) -> list[int]:
    """The `count` best channels of each head, by scores (heads * width,), in order."""
    best = scores.view(heads, -1).topk(count, dim=1).indices.sort(dim=1).values
    first = torch.arange(heads)[:, None] * (len(scores) // heads)
    return (best + first).flatten().tolist()
