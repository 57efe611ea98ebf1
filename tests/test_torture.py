"""The torture script's manual names its sections, and each is there."""

import importlib
import re

import pytest
from places import DOCS, SCRIPTS

SECTIONS = re.findall(r"^\| `(\w+)` \|", (DOCS / "reliability.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_is_there(name: str) -> None:
    assert callable(importlib.import_module(f"torture.{name}").run)


def test_the_manual_names_all_sections() -> None:
    source = (SCRIPTS / "torture.py").read_text()
    named = re.search(r"^SECTIONS = \((.*)\)$", source, re.MULTILINE)
    assert named and re.findall(r'"(\w+)"', named[1]) == SECTIONS


@pytest.mark.slow
def test_bombs_below_a_kilobyte_take_little_memory() -> None:
    from torture import small
    from torture.hostile import LIMIT, by_hand

    # AVIF is left out: to make such a one takes seconds
    made = [(name, make()) for name, make in by_hand().items() if "AVIF" not in name]
    costs = small.measured([(name, data) for name, data in made if len(data) <= LIMIT])
    most = max(costs, key=lambda cost: cost.megabytes)
    print(f"{len(costs)} bombs below {LIMIT} bytes; most memory: {most}")
    assert len(costs) > 50 and most.megabytes < 200
