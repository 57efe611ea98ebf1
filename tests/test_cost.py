"""What a million photos take, against figures worked out by hand."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cost
import pytest
from places import DOCS, SCRIPTS

RATES = cost.Rates(fixed=0.03, per_megapixel=0.01, net=0.02)
WISH = cost.Wish(
    photos=3_600_000,
    hours=10,
    megapixels=7,
    input_mb=2,
    output_mb=3,
    cores=4,
    network=1,
    core_hour=0.05,
    gpu_hour=2,
    gpu_rate=0,
    get_price=0.0004,
    put_price=0.005,
    list_price=0.005,
    month_price=0.02,
    gets=5000,
    puts=3000,
    overhead=1.0,
    prefixes=1,
    list_seconds=0.1,
)


def test_cores_requests_and_money() -> None:
    found = cost.cost(WISH, RATES)
    assert found.core_seconds == pytest.approx(0.1)
    assert found.core_hours == pytest.approx(100)  # 360,000 s
    assert (found.machines, found.gpus) == (3, 0)  # 10 cores, 4 a machine
    assert found.get_requests == found.put_requests == 3_600_000
    assert found.list_requests == 2 * 3600 * 3  # each shard lists what is there and what is done
    assert found.compute_money == pytest.approx(5)
    assert found.requests_money == pytest.approx(3600 * 0.0054 + 21.6 * 0.005)
    assert found.month_money == pytest.approx(3_600_000 * 0.003 * 0.02)
    assert found.money == pytest.approx(found.compute_money + found.requests_money)


def test_a_bucket_is_slower_by_the_overhead() -> None:
    assert cost.cost(replace(WISH, overhead=1.5), RATES).core_hours == pytest.approx(150)


def test_a_gpu_takes_the_net_and_no_more() -> None:
    found = cost.cost(replace(WISH, gpu_rate=500), RATES)
    assert found.core_seconds == pytest.approx(0.08)
    assert found.gpu_hours == pytest.approx(2) and found.gpus == 1
    assert found.compute_money == pytest.approx(80 * 0.05 + 2 * 2)


def test_runs_over_parts_of_the_keys_list_less() -> None:
    whole, parts = cost.cost(WISH, RATES), cost.cost(replace(WISH, prefixes=3), RATES)
    assert whole.list_requests == 3 * parts.list_requests


def bottleneck(**changes: float) -> str:
    wish = replace(WISH, **changes)
    return cost.limits(wish, cost.cost(wish, RATES))[0].name


def test_the_bottleneck_moves_as_machines_are_added() -> None:
    assert bottleneck() == "3 Gbit/s of network"  # 75 photos/s, 12 cores do 120
    assert bottleneck(network=10) == "12 cores"
    assert bottleneck(network=10, hours=0.1) == "writes of the bucket"
    assert bottleneck(network=10, hours=0.1, puts=90_000) == "reads of the bucket"
    assert bottleneck(network=10, hours=0.1, puts=9e4, gets=9e4, list_seconds=1) == (
        "listing the keys"
    )
    assert bottleneck(network=10, gpu_rate=70) == "8 cores"  # two GPUs would do 140 photos/s


def test_rates_are_a_line_through_what_was_measured(tmp_path: Path) -> None:
    figures = [
        {"name": f"{size} MP gray, processor time", "value": 1000 * (0.02 + 0.01 * size) / size}
        for size in (1, 12, 100)
    ]
    for figure in figures:
        figure["unit"] = "ms/MP"
    net = {"name": "default, onnx, batch 1, 1 thread", "value": 15.0, "unit": "ms"}
    bench = tmp_path / "bench.json"
    bench.write_text(json.dumps({"figures": [*figures, net]}))
    found = cost.read_rates(bench)
    assert found.fixed == pytest.approx(0.02) and found.per_megapixel == pytest.approx(0.01)
    assert found.net == pytest.approx(0.015)
    bench.write_text(json.dumps({"figures": [net]}))
    with pytest.raises(ValueError, match=r"bench\.json: no figures of the sections"):
        cost.read_rates(bench)


def test_the_table_in_the_docs_is_read() -> None:
    found = cost.read_rates(DOCS / "performance.md")
    assert 0.01 < found.net < found.fixed < 0.1 and 0.005 < found.per_megapixel < 0.05


def test_a_page_for_a_million_and_a_billion() -> None:
    made = subprocess.run(
        [sys.executable, SCRIPTS / "cost.py"], capture_output=True, text=True, check=True
    )
    assert made.stdout.count("the bottleneck") == 2
    assert "1,000,000 photos of 12 MP" in made.stdout and "1,000,000,000 photos" in made.stdout
