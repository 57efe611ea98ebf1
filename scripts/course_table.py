"""Measure what the course says of its drawn worlds, and draw its pictures: `make course-table`.

    python scripts/course_table.py [--out resources/course] [--kept build/course-table]
                                   [--seeds 5] [--dial 5] [--evaluated NAME=FILE ...]
                                   [--shorten 1]

Writes OUT/table.json, from which the notebooks read settings and figures, and OUT's pictures. A run
is one net from one seed, on one thread. KEPT holds what each run gave, so that a table that was
stopped goes on where it was; a run with other settings than those below is made anew. --dial is
for the runs beside those that the course promises something of, such as other lambdas.

The rows of photographs are those of the model card; --evaluated takes further ones from what
`pix2pix evaluate --json FILE` wrote. --shorten 100 makes a hundredth of the steps, to try it.
"""

import argparse
import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from pix2pix import nets, show
from pix2pix.color import net_to_rgb
from pix2pix.data import worlds
from pix2pix.evaluate.intervals import T_975

ROOT = Path(__file__).resolve().parent.parent
CARD = ROOT / "pix2pix" / "pretrained" / "README.md"
HELD_OUT, PICTURES = 999, 64  # the seed that no net learns from, and how many pictures of it
FRAMES, FILM_WIDTH = 24, 640  # of the film [px]
Z = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)  # the noise that is tried [standard deviations]
QUANTILES = {2: 4.302652729911275, **T_975}  # of Student's t at 97.5 %, by degrees of freedom
MAX_BYTES = {"marbles.webp": 60_000, "quilt.webp": 60_000, "marbles-film.webp": 250_000}


@dataclass(frozen=True)
class Settings:
    """How a net of the course learns; the defaults are those of the marbles with a critic.

    `l1` is lambda, the weight of L1 beside the critic, None where there is no critic. `apart` is
    the weight of the difference between two answers to one input, with a noise each. The learning
    rate falls to 0 over the second half of the critic's steps.
    """

    world: str = "marbles"
    size: int = 64  # [px]
    width: int = 16  # of the U-Net
    depth: int = 5
    critic_width: int = 16
    batch: int = 8
    start: int = 200  # steps on L1 alone
    start_lr: float = 1e-3
    steps: int = 1000  # after the start
    lr: float = 5e-4
    critic_lr: float = 1e-3
    beta1: float = 0.5
    l1: float | None = 2.0
    noise: int = 0  # planes
    apart: float = 0.0


MARBLES = Settings()
QUILT = Settings(world="quilt", steps=400, l1=5.0, lr=1e-3)
RUNS: dict[str, Settings] = {
    "marbles: L1": replace(MARBLES, l1=None, steps=0),
    "marbles: L1, as long": replace(MARBLES, l1=None),
    "marbles: GAN": MARBLES,
    "marbles: GAN, λ 10": replace(MARBLES, l1=10.0),
    "marbles: GAN, λ 50": replace(MARBLES, l1=50.0),
    "marbles: GAN + noise": replace(MARBLES, l1=5.0, lr=1e-3, noise=1, apart=2.0),
    "quilt: L1": replace(QUILT, l1=None),
    "quilt: GAN": QUILT,
}
PROMISED = ("marbles: L1", "marbles: GAN", "quilt: L1", "quilt: GAN")
FILMED = "marbles: GAN"


@dataclass(frozen=True)
class Toy:
    """A ring of Gaussians, and two nets that play for it."""

    modes: int = 8
    radius: float = 2.0
    sigma: float = 0.1  # of each Gaussian
    width: int = 64  # of both nets' two hidden layers
    batch: int = 128
    steps: int = 2000
    lr: float = 1e-3


TOY = Toy()


# -- training


def pair(settings: Settings, count: int, *, seed: int, first: int = 0) -> tuple[Tensor, Tensor]:
    """Pictures of a world as input and target: L and ab of marbles, labels and RGB of a quilt."""
    if settings.world == "marbles":
        scenes = worlds.marbles(count, size=settings.size, seed=seed, first=first)
        return scenes.L, scenes.ab
    quilts = worlds.quilt(count, size=settings.size, seed=seed, first=first)
    return quilts.labels, quilts.picture


def with_noise(x: Tensor, z: Tensor) -> Tensor:
    """Input (B, C, H, W) and noise (B, K) -> (B, C + K, H, W): a number is a plane."""
    return torch.cat([x, z[..., None, None].expand(-1, -1, *x.shape[2:])], 1)


def train(
    settings: Settings, *, seed: int, watch: Callable[[int, nn.Module], None] | None = None
) -> tuple[nn.Module, float]:
    """Train one net -> it, and the CPU seconds it took; `watch` is called before every step."""
    s = settings
    torch.manual_seed(seed)
    c_in, c_out = (plane.shape[1] for plane in pair(s, 1, seed=seed))
    net = nets.UNet(
        width=s.width, depth=s.depth, in_channels=c_in + s.noise, out_channels=c_out, dropout=0.0
    )
    critic = nets.PatchGAN(width=s.critic_width, in_channels=c_in + c_out)
    net_adam = torch.optim.Adam(net.parameters(), s.start_lr, (s.beta1, 0.999))
    critic_adam = torch.optim.Adam(critic.parameters(), s.critic_lr, (s.beta1, 0.999))
    seconds = 0.0
    for step in range(s.start + s.steps):
        if watch:
            watch(step, net)
        began = time.process_time()
        plays = s.l1 is not None and step >= s.start
        x, y = pair(s, s.batch, seed=seed, first=step * s.batch)
        if plays:
            left = min(1, 2 * (s.start + s.steps - step) / s.steps)
            net_adam.param_groups[0]["lr"] = s.lr * left
            critic_adam.param_groups[0]["lr"] = s.critic_lr * left
            if s.apart:  # half the scenes, each twice
                x, y = (half[: s.batch // 2].repeat(2, 1, 1, 1) for half in (x, y))
        fake = net(with_noise(x, torch.randn(len(x), s.noise)) if s.noise else x)
        loss = F.l1_loss(fake, y)
        if plays:
            real_score = critic(torch.cat([x, y], 1))
            fake_score = critic(torch.cat([x, fake.detach()], 1))
            critic_loss = (real_score - 1).square().mean() / 2 + fake_score.square().mean() / 2
            critic_adam.zero_grad()
            critic_loss.backward()
            critic_adam.step()
            critic.requires_grad_(False)
            score = critic(torch.cat([x, fake], 1))
            critic.requires_grad_(True)
            loss = (score - 1).square().mean() + s.l1 * loss
            if s.apart:
                one, other = fake.chunk(2)
                loss = loss - s.apart * (one - other).abs().mean()
        net_adam.zero_grad()
        loss.backward()
        net_adam.step()
        seconds += time.process_time() - began
    return net, seconds


def ring(count: int, generator: torch.Generator) -> Tensor:
    """Points (count, 2) of the toy: Gaussians on a circle, each as likely as the next."""
    angle = torch.randint(TOY.modes, (count,), generator=generator) * math.tau / TOY.modes
    center = TOY.radius * torch.stack([angle.cos(), angle.sin()], 1)
    return center + TOY.sigma * torch.randn(count, 2, generator=generator)


def layers(c_out: int) -> nn.Sequential:
    """Two numbers -> `c_out`, with two hidden layers."""
    width = TOY.width
    hidden = [nn.Linear(2, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*hidden, nn.Linear(width, c_out))


def toy(*, seed: int, steps: int) -> dict[str, float]:
    """Play the toy in two dimensions -> its seconds, and what `covered` says of 2,000 points."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    net, critic = layers(2), layers(1)
    net_adam, critic_adam = (
        torch.optim.Adam(one.parameters(), TOY.lr, (0.5, 0.999)) for one in (net, critic)
    )
    began = time.process_time()
    for _ in range(steps):
        real = ring(TOY.batch, generator)
        fake = net(torch.randn(TOY.batch, 2, generator=generator))
        critic_loss = (critic(real) - 1).square().mean() + critic(fake.detach()).square().mean()
        critic_adam.zero_grad()
        critic_loss.backward()
        critic_adam.step()
        loss = (critic(fake) - 1).square().mean()
        net_adam.zero_grad()
        loss.backward()
        net_adam.step()
    seconds = time.process_time() - began
    with torch.no_grad():
        points = net(torch.randn(2000, 2, generator=generator))
    return {**covered(points), "seconds": seconds}


def covered(points: Tensor) -> dict[str, float]:
    """Points (N, 2) -> the share within 3 sigma of a center, and of the centers that they cover.

    A center is covered by 2 % of the points: a sixth of its due.
    """
    angle = torch.arange(TOY.modes) * math.tau / TOY.modes
    centers = TOY.radius * torch.stack([angle.cos(), angle.sin()], 1)
    distance, nearest = torch.cdist(points, centers).min(1)
    close = distance < 3 * TOY.sigma
    counts = nearest[close].bincount(minlength=TOY.modes)
    modes = (counts >= 0.02 * len(points)).float().mean()
    return {"modes": float(modes), "close": float(close.float().mean())}


# -- measuring


@torch.no_grad()
def answers(settings: Settings, net: nn.Module, *, z: float | None = None) -> Tensor:
    """What a net answers to the pictures held out; noise is `z`, or drawn anew for each."""
    x, _ = pair(settings, PICTURES, seed=HELD_OUT)
    if not settings.noise:
        return net(x)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(PICTURES, settings.noise, generator=generator)
    return net(with_noise(x, drawn if z is None else torch.full_like(drawn, z)))


def measured(settings: Settings, fake: Tensor) -> dict[str, float]:
    """The world's own measure of the answers to the pictures held out, and L1."""
    _, y = pair(settings, PICTURES, seed=HELD_OUT)
    found = {"l1": float(F.l1_loss(fake, y))}
    if settings.world == "quilt":
        share = worlds.detail(fake).mean() / worlds.detail(y).mean()
        return {"detail": float(share), **found}
    scenes = worlds.marbles(PICTURES, size=settings.size, seed=HELD_OUT)
    each = worlds.shares(fake, scenes).tolist()
    return {
        "near": worlds.near(fake, scenes),
        **dict(zip(worlds.NAMES, each, strict=True)),
        **found,
    }


def run(name: str, seed: int, *, kept: Path, shorten: int) -> dict:
    """Make one run, or take it from `kept` -> its settings, figures, answers, and film if any."""
    s = RUNS[name]
    s = replace(s, start=s.start // shorten, steps=s.steps // shorten)
    path = kept / f"{re.sub('[^a-z0-9]+', '-', name.lower())}-{seed}.pt"
    if path.exists():
        found = torch.load(path, weights_only=True)
        if found["settings"] == asdict(s):
            return found
    film: list[Tensor] = []
    moments = {round(i) for i in torch.linspace(0, s.start + s.steps - 1, FRAMES).tolist()}

    def watch(step: int, net: nn.Module) -> None:
        if step in moments:
            film.append(answers(s, net)[:5].clone())

    net, seconds = train(s, seed=seed, watch=watch if name == FILMED and not seed else None)
    fake = answers(s, net)
    found = {
        "settings": asdict(s),
        "figures": {**measured(s, fake), "seconds": seconds},
        "answers": fake[:8].clone(),
        "film": [*film, fake[:5].clone()] if film else [],
        "by_noise": [measured(s, answers(s, net, z=z)) for z in Z] if s.noise else [],
        "with_noise": [answers(s, net, z=z)[:8].clone() for z in (-1.0, 1.0)] if s.noise else [],
    }
    kept.mkdir(parents=True, exist_ok=True)
    torch.save(found, path)
    return found


def summary(values: Sequence[float]) -> dict:
    """The seeds' values, their mean and its 95 % interval: Student's t, None below 3 seeds."""
    each = torch.tensor(values, dtype=torch.float64)
    count = len(values)
    found = {"mean": float(each.mean()), "seeds": [float(v) for v in values], "interval": None}
    if count - 1 in QUANTILES:
        half = QUANTILES[count - 1] * float(each.std()) / math.sqrt(count)
        found["interval"] = [found["mean"] - half, found["mean"] + half]
    return found


def tabulated(runs: Mapping[str, Sequence[dict]], toys: Sequence[Mapping[str, float]]) -> dict:
    """The runs and toys of all seeds -> world, row, figure: summary."""
    rows: dict[str, dict[str, dict]] = {}
    for name, each in runs.items():
        world, row = name.split(": ")
        figures = [found["figures"] for found in each]
        cells: dict = {key: summary([f[key] for f in figures]) for key in figures[0]}
        if each[0]["by_noise"]:
            cells["by_noise"] = [
                {
                    "z": z,
                    **{c: [f["by_noise"][k][c] for f in each] for c in ("near", *worlds.NAMES)},
                }
                for k, z in enumerate(Z)
            ]
        rows.setdefault(world, {})[row] = cells
    rows["toy"] = {"GAN": {key: summary([toy[key] for toy in toys]) for key in toys[0]}}
    return rows


def of_card(text: str) -> dict[str, dict[str, str]]:
    """The model card's metrics, as they stand there: row, column, cell."""
    lines = text.split("## Metrics")[1].split("## ")[0].splitlines()
    table = [[c.strip() for c in line.strip("|").split("|")] for line in lines if line[:1] == "|"]
    end = next((i for i, row in enumerate(table) if len(row) != len(table[0])), len(table))
    head, _, *rows = table[:end]
    return {row[0].replace("`", ""): dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def of_evaluation(result: Mapping) -> dict[str, dict[str, str]]:
    """What `pix2pix evaluate --json` wrote -> its rows gray, sepia and model, as the card's."""
    forms = {"psnr": ("PSNR", "{:.2f}", " dB"), "colorfulness": ("colorfulness", "{:.1f}", "")}
    rows: dict[str, dict[str, str]] = {}
    for row, named in (("gray", "gray"), ("sepia", "constant sepia"), ("model", "model")):
        means, intervals = result["rows"][row], result["intervals"][row]
        cells = {}
        for key, (heading, form, unit) in forms.items():
            ends = intervals.get(key)
            half = f" ± {form.format((ends[1] - ends[0]) / 2)}" if ends else ""
            cells[heading] = form.format(means[key]) + half + unit
        cells["of the truth's"] = f"{100 * means['colorfulness_ratio']:.0f} %"
        rows[named] = cells
    return rows


def lines(rows: Mapping[str, Mapping[str, Mapping]]) -> list[str]:
    """The table as Markdown: a row a line, each figure with half of its interval."""
    printed = []
    for world, named in rows.items():
        if world == "photographs":
            continue
        heads = list(dict.fromkeys(k for row in named.values() for k in row if k != "by_noise"))
        printed += [f"| {world} | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
        for name, row in named.items():
            printed.append(f"| {name} | {' | '.join(cell(k, row[k]) for k in heads)} |")
        printed.append("")
    return printed


def cell(key: str, found: Mapping) -> str:
    """A mean and half of its interval: seconds and L1 as numbers, shares in percent."""
    form = {"seconds": "{:.1f}", "l1": "{:.4f}"}.get(key, "{:.0%}")
    ends = found["interval"]
    return form.format(found["mean"]) + (
        f" ± {form.format((ends[1] - ends[0]) / 2)}" if ends else ""
    )


# -- drawing


def rgb(settings: Settings, answer: Tensor) -> list[Tensor]:
    """Answers to the first pictures held out, or targets of them -> RGB (3, S, S) in [0, 1]."""
    x, _ = pair(settings, len(answer), seed=HELD_OUT)
    return list(net_to_rgb(x, answer) if settings.world == "marbles" else answer / 2 + 0.5)


def strip(rows: Mapping[str, list[Tensor]]) -> Image.Image:
    """Rows of pictures with their names before them."""
    return show.grid(list(rows.values()), labels=list(rows), side=76).image


def draw(runs: Mapping[str, dict], out: Path) -> None:
    """Write the pictures of one seed's runs. Raises ValueError where one is above MAX_BYTES."""
    for world, settings in (("marbles", MARBLES), ("quilt", QUILT)):
        x, y = pair(settings, 8, seed=HELD_OUT)
        start = torch.zeros_like(y) if world == "marbles" else x
        rows = {"input": rgb(settings, start)}
        for name, found in runs.items():
            of, row = name.split(": ")
            if of != world or "λ" in row or "long" in row:
                continue
            if found["with_noise"]:
                for sign, answer in zip("-+", found["with_noise"], strict=True):
                    rows[f"{row}, z = {sign}1"] = rgb(settings, answer)
            else:
                rows[row] = rgb(settings, found["answers"])
        save(strip({**rows, "truth": rgb(settings, y)}), out / f"{world}.webp")
    film = [frame(rgb(MARBLES, answer)) for answer in runs[FILMED]["film"]]
    save(film[0], out / "marbles-film.webp", *film[1:])


def frame(pictures: list[Tensor]) -> Image.Image:
    """Pictures side by side, FILM_WIDTH wide."""
    row = show.grid(pictures, side=MARBLES.size * 2).image
    return row.resize((FILM_WIDTH, round(row.height * FILM_WIDTH / row.width)))


def save(image: Image.Image, path: Path, *rest: Image.Image) -> None:
    """Write a WebP, a film if there is a rest, at the best quality that fits into MAX_BYTES."""
    path.parent.mkdir(parents=True, exist_ok=True)
    more: dict = {}
    if rest:  # the last picture stays longer
        durations = [200] * len(rest) + [1500]
        more = {"save_all": True, "append_images": rest, "duration": durations, "loop": 0}
    for quality in (90, 80, 70, 60, 50):
        image.save(path, "WEBP", quality=quality, method=6, **more)
        if path.stat().st_size <= MAX_BYTES[path.name]:
            return
    raise ValueError(f"{path}: {path.stat().st_size} bytes, more than {MAX_BYTES[path.name]}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "resources" / "course")
    parser.add_argument("--kept", type=Path, default=ROOT / "build" / "course-table")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--dial", type=int, metavar="SEEDS", help="default: as many as --seeds")
    parser.add_argument("--shorten", type=int, default=1, help="divide all steps by this")
    parser.add_argument("--evaluated", nargs="*", default=[], metavar="NAME=FILE")
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    runs: dict[str, list[dict]] = {name: [] for name in RUNS}
    for seed in range(given.seeds):
        for name, each in runs.items():
            if name not in PROMISED and seed >= (given.seeds if given.dial is None else given.dial):
                continue
            each.append(run(name, seed, kept=given.kept, shorten=given.shorten))
            print(seed, name, {k: round(v, 3) for k, v in each[-1]["figures"].items()}, flush=True)
    toys = [toy(seed=seed, steps=TOY.steps // given.shorten) for seed in range(given.seeds)]
    rows = tabulated(runs, toys)
    rows["photographs"] = of_card(CARD.read_text())
    for item in given.evaluated:
        name, _, path = item.partition("=")
        for row, cells in of_evaluation(json.loads(Path(path).read_text())).items():
            rows["photographs"][name if row == "model" else row] = cells
    draw({name: each[0] for name, each in runs.items()}, given.out)
    table = {
        "settings": {**{name: asdict(s) for name, s in RUNS.items()}, "toy": asdict(TOY)},
        "rows": rows,
    }
    text = json.dumps(table, indent=1, ensure_ascii=False)
    (given.out / "table.json").write_text(text + "\n")
    print("\n".join(lines(rows)))


if __name__ == "__main__":
    main()
