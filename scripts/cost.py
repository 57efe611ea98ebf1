"""What it takes to color a million photos, and a billion: cores, GPUs, requests, money.

    python scripts/cost.py --megapixels 12 --input-mb 4 --output-mb 5 --core-hour 0.04
    python scripts/cost.py --photos 3e6 --bench build/bench.json --gpu-rate 900 --gpu-hour 3

Seconds of a core a photo are a line through what `make bench ONLY="nets file"` measured of gray
JPEGs: in docs/performance.md, or in a build/bench.json of the machines that are to do it. Prices
and limits are the reader's; those given here are round figures, to be replaced. A GPU takes over
the net alone, and its rate is not measured here: give your own. At the end stands what is used up
first as machines are added.
"""

import argparse
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PERFORMANCE = Path(__file__).parents[1] / "docs" / "performance.md"
LISTED = 1000  # keys that one listing request gives
HOUR = 3600.0
_FIGURE = re.compile(r"^ {4,}(\S.*?) {2,}([\d.,]+) (ms(?:/MP)?)\b", re.MULTILINE)


@dataclass(frozen=True)
class Rates:
    """Seconds of one core that a photo takes: `fixed`, `per_megapixel`, of `fixed` the net."""

    fixed: float
    per_megapixel: float
    net: float

    def photo(self, megapixels: float, *, net: bool = True) -> float:
        """Seconds of a core a photo; without the net where a GPU runs it."""
        return self.fixed + self.per_megapixel * megapixels - (0 if net else self.net)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be colored, in what time, at which prices and limits."""

    photos: float
    hours: float
    megapixels: float
    input_mb: float
    output_mb: float
    cores: int  # of a machine
    network: float  # [Gbit/s] of a machine
    core_hour: float
    gpu_hour: float
    gpu_rate: float  # photos a second that one GPU's net does; 0: none
    get_price: float  # of 1,000 requests, as all three
    put_price: float
    list_price: float
    month_price: float  # of a GB, the outputs'
    gets: float  # requests a second that a bucket's prefix takes
    puts: float
    overhead: float  # seconds with a bucket over those with a disk
    prefixes: int  # runs of their own, each over one part of the keys
    list_seconds: float  # of one listing request


def read_rates(path: Path) -> Rates:
    """Fit the rates to a table of `make bench`, as Markdown or JSON.

    Raises ValueError, which names the file, where it lacks the sections `nets` and `file`.
    """
    text = path.read_text()
    if path.suffix == ".json":
        found = {f["name"]: (f["value"], f["unit"]) for f in json.loads(text)["figures"]}
    else:
        rows = _FIGURE.findall(text)
        found = {name: (float(value.replace(",", "")), unit) for name, value, unit in rows}
    points = []
    for name, (value, unit) in found.items():
        size = re.fullmatch(r"(\d+) MP gray, processor time", name)
        if size and unit == "ms/MP":
            points.append((float(size[1]), float(size[1]) * value / 1000))
    net = found.get("default, onnx, batch 1, 1 thread", (math.nan, "ms"))[0] / 1000
    if len(points) < 2 or math.isnan(net):
        raise ValueError(f"{path}: no figures of the sections nets and file (make bench)")
    sizes, seconds = np.array(points).T
    # each point weighs by its own size: else that of 100 MP would be all that counts
    per_megapixel, fixed = np.polyfit(sizes, seconds, 1, w=1 / seconds)
    return Rates(float(fixed), float(per_megapixel), net)


@dataclass(frozen=True)
class Cost:
    """What `Wish.photos` take."""

    core_seconds: float  # of one photo
    core_hours: float
    gpu_hours: float
    machines: int
    gpus: int
    get_requests: float
    put_requests: float
    list_requests: float
    requests_money: float
    compute_money: float
    month_money: float

    @property
    def money(self) -> float:
        """Of the run; storage is by the month."""
        return self.compute_money + self.requests_money


def cost(wish: Wish, rates: Rates) -> Cost:
    """Work out cores, GPUs, requests and money."""
    seconds = rates.photo(wish.megapixels, net=not wish.gpu_rate) * wish.overhead
    core_hours = wish.photos * seconds / HOUR
    gpu_hours = wish.photos / wish.gpu_rate / HOUR if wish.gpu_rate else 0.0
    machines = math.ceil(core_hours / wish.hours / wish.cores)
    # each shard lists all keys of its prefix, and all that it has written: twice the photos
    shards = max(1, math.ceil(machines / wish.prefixes))
    listings = 2 * math.ceil(wish.photos / LISTED) * shards
    requests = wish.photos * (wish.get_price + wish.put_price) + listings * wish.list_price
    return Cost(
        core_seconds=seconds,
        core_hours=core_hours,
        gpu_hours=gpu_hours,
        machines=machines,
        gpus=math.ceil(gpu_hours / wish.hours),
        get_requests=wish.photos,
        put_requests=wish.photos,
        list_requests=listings,
        requests_money=requests / 1000,
        compute_money=core_hours * wish.core_hour + gpu_hours * wish.gpu_hour,
        month_money=wish.photos * wish.output_mb / 1000 * wish.month_price,
    )


@dataclass(frozen=True)
class Limit:
    """At how many photos a second something is used up; machines bring more of it, or not."""

    name: str
    rate: float
    grows: bool


def limits(wish: Wish, found: Cost) -> list[Limit]:
    """What is used up, the least first: there is the bottleneck."""
    machines = max(1, found.machines)
    cores, gigabits = machines * wish.cores, wish.network * machines
    listing = wish.list_seconds / LISTED / wish.prefixes  # a photo, one page after another
    known = [
        Limit(f"{cores:,} cores", cores / found.core_seconds, True),
        Limit(
            f"{gigabits:,g} Gbit/s of network",
            gigabits * 1000 / 8 / (wish.input_mb + wish.output_mb),
            True,
        ),
        Limit("reads of the bucket", wish.gets * wish.prefixes, False),
        Limit("writes of the bucket", wish.puts * wish.prefixes, False),
        Limit("listing the keys", 1 / listing, False),
    ]
    if found.gpus:
        known.append(Limit(f"{found.gpus:,} GPUs", found.gpus * wish.gpu_rate, True))
    return sorted(known, key=lambda limit: limit.rate)


def lines(wish: Wish, rates: Rates) -> list[str]:
    """The page for one number of photos."""
    found = cost(wish, rates)
    said = [
        f"{wish.photos:,.0f} photos of {wish.megapixels:g} MP in {wish.hours:g} h",
        f"  a photo                {found.core_seconds * 1000:,.0f} ms of a core",
        f"  cores                  {found.core_hours:,.0f} core hours, "
        f"{found.machines:,} x {wish.cores}",
    ]
    if wish.gpu_rate:
        said.append(
            f"  GPUs                   {found.gpu_hours:,.1f} GPU hours, {found.gpus:,} GPUs"
        )
    said += [
        f"  requests               {found.get_requests:,.0f} reads, {found.put_requests:,.0f} "
        f"writes, {found.list_requests:,.0f} listings",
        f"  bytes                  {wish.photos * wish.input_mb / 1e6:,.1f} TB in, "
        f"{wish.photos * wish.output_mb / 1e6:,.1f} TB out",
        f"  money                  {found.compute_money:,.0f} computing + "
        f"{found.requests_money:,.0f} requests, then {found.month_money:,.0f} a month of storage",
    ]
    bounds = limits(wish, found)
    said += [f"  {limit.name:<22} {limit.rate:,.0f} photos/s" for limit in bounds]
    return [*said, f"  the bottleneck         {_next(wish, bounds)}"]


def _next(wish: Wish, bounds: list[Limit]) -> str:
    """Where the bottleneck is, and where it moves as machines are added."""
    first = bounds[0]
    hours = wish.photos / first.rate / HOUR
    if not first.grows:
        return f"{first.name}: {hours:,.1f} h at least, however many machines there are"
    other = next(limit for limit in bounds if not limit.grows)
    more = other.rate / first.rate
    return f"{first.name}: {hours:,.1f} h; with {more:,.1f} times as many machines {other.name}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=float, nargs="+", default=[1e6, 1e9])
    parser.add_argument("--bench", type=Path, default=PERFORMANCE, help="a table of `make bench`")
    options = {
        "hours": (24, "in which it is to be done"),
        "megapixels": (12, "of a photo"),
        "input_mb": (4, "of a photo"),
        "output_mb": (5, "of a photo"),
        "cores": (16, "of a machine"),
        "network": (5, "Gbit/s of a machine"),
        "core_hour": (0.04, "price"),
        "gpu_hour": (1.0, "price"),
        "gpu_rate": (0, "photos a second that the net does on one of your GPUs; 0: no GPU"),
        "get_price": (0.0004, "price of 1,000 reads"),
        "put_price": (0.005, "price of 1,000 writes"),
        "list_price": (0.005, "price of 1,000 listings, of 1,000 keys each"),
        "month_price": (0.023, "price of a GB a month"),
        "gets": (5500, "reads a second of a prefix"),
        "puts": (3500, "writes a second of a prefix"),
        "overhead": (1.25, "time with a bucket, to that with a disk"),
        "prefixes": (1, "parts of the keys that are runs of their own"),
        "list_seconds": (0.1, "of one listing"),
    }
    for name, (value, meaning) in options.items():
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=type(value), default=value, help=f"{meaning} ({value:g})")
    given = vars(parser.parse_args())
    counts, bench = given.pop("photos"), given.pop("bench")
    rates = read_rates(bench)
    print(
        f"measured in {bench.name}: {rates.fixed * 1000:.0f} ms a photo and "
        f"{rates.per_megapixel * 1000:.1f} ms a megapixel; the net is {rates.net * 1000:.0f} ms"
    )
    for photos in counts:
        print("", *lines(Wish(photos=photos, **given), rates), sep="\n")


if __name__ == "__main__":
    main()
