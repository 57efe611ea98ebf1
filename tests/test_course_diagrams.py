"""The drawn diagrams: current, small, well-formed, and true to the net they show."""

from xml.etree import ElementTree

import make_diagrams
import pytest
import torch

from pix2pix import nets


def test_the_committed_files_are_what_the_script_draws(monkeypatch, tmp_path, capsys):
    assert make_diagrams.main(["--check"]) == 0, capsys.readouterr().out
    monkeypatch.setattr(make_diagrams, "FOLDER", tmp_path)
    assert make_diagrams.main(["--check"]) == 1
    assert make_diagrams.main([]) == 0
    (tmp_path / "unet.svg").write_text("another")
    capsys.readouterr()
    assert make_diagrams.main(["--check"]) == 1
    assert capsys.readouterr().out == "unet.svg is not current: run scripts/make_diagrams.py\n"


@pytest.mark.parametrize("name", make_diagrams.DIAGRAMS)
def test_a_diagram_is_small_readable_on_dark_pages_and_has_a_title(name):
    drawn = (make_diagrams.FOLDER / f"{name}.svg").read_text()
    root = ElementTree.fromstring(drawn)
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    assert len(drawn) <= 30_000
    assert "prefers-color-scheme: dark" in drawn
    assert root[0].tag.endswith("title") and root[0].text
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        if text.attrib["class"] in ("ink", "soft"):  # those begin at x
            x += 6.6 * len(text.text)  # px of a letter, about
        assert 0 <= x <= width and 0 <= y <= height, text.text


def test_the_maps_are_those_of_the_net():
    seen = make_diagrams.maps(32, width=4, depth=3)
    assert seen == [(1, 32), (4, 16), (8, 8), (16, 4), (8, 8), (4, 16), (2, 32)]
    net = nets.UNet(width=4, depth=3)
    assert [step[1].in_channels for step in net.up] == [16, 8 + 8, 4 + 4]


def test_the_u_names_every_number_of_channels():
    root = ElementTree.fromstring(make_diagrams.unet())
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    for channels, size in make_diagrams.maps():
        assert str(channels) in texts and f"{size} x {size}" in texts


def test_the_patch_is_what_a_gradient_finds():
    net = nets.PatchGAN(width=2)
    layers = [layer for layer in net.layers if not isinstance(layer, torch.nn.InstanceNorm2d)]
    pixels = torch.randn(1, 3, 128, 128, requires_grad=True)
    torch.nn.Sequential(*layers)(pixels)[0, 0, 7, 7].backward()
    wide = int((pixels.grad.abs().sum((0, 1, 2)) > 0).sum())
    assert make_diagrams.fields() == [(1, 8), (4, 8), (7, 8), (16, 4), (34, 2), (70, 1)]
    root = ElementTree.fromstring(make_diagrams.patch())
    bars = [r for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.attrib["class"] == "blue"]
    lowest = max(float(bar.attrib["y"]) for bar in bars)
    assert sum(float(bar.attrib["y"]) == lowest for bar in bars) == wide == 70
