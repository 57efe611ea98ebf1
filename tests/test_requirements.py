"""The pinned environment: what is installed here, and what a bare Debian 12 can install."""

import re
from importlib.metadata import distribution

import pytest
from packaging.specifiers import SpecifierSet
from places import ROOT

PINS = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
DEBIAN_12 = "3.11.2"  # its Python


@pytest.mark.slow
@pytest.mark.parametrize("name, version", PINS)
def test_a_pin_is_installed_and_fits_the_oldest_python(name: str, version: str) -> None:
    found = distribution(name)
    assert found.version == version
    assert SpecifierSet(found.metadata.get("Requires-Python", "")).contains(DEBIAN_12)


def test_pins_are_read() -> None:
    names = {name.lower() for name, _ in PINS}
    assert len(PINS) > 100 and {"torch", "gradio", "soupsieve", "jupyter"} <= names
