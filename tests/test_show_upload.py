"""The upload cell: a button in Jupyter, a question on Colab, a path anywhere, a default at last."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import ipywidgets
import pytest

from pix2pix import show


@pytest.fixture
def shown(monkeypatch):
    found = []
    monkeypatch.setattr("IPython.display.display", lambda thing, raw=False: found.append(thing))
    return found


@pytest.fixture
def buttons(monkeypatch):
    made = []

    class Button(ipywidgets.FileUpload):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            made.append(self)

    monkeypatch.setattr(ipywidgets, "FileUpload", Button)
    return made


def photo_at(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"bytes of a photograph")
    return path


def press(button, name: str, content: bytes) -> None:
    """What the page sends when a file is chosen."""
    about = {"type": "image/jpeg", "size": len(content), "last_modified": 1_700_000_000_000}
    button.set_state({"value": [{"name": name, "content": memoryview(content), **about}]})


def test_until_a_file_is_chosen_it_is_the_default(shown, capsys, tmp_path) -> None:
    default = tmp_path / "old.jpg"
    chosen = show.upload(default)
    assert chosen.photo == default and chosen.name == "old.jpg"
    assert capsys.readouterr().out == "Going on with old.jpg.\n"
    (bundle,) = shown
    assert "button" in bundle["text/html"]  # for pages without a kernel


def test_a_chosen_file_takes_its_place_later(shown, buttons) -> None:
    chosen = show.upload("old.jpg")
    press(buttons[0], "mine.png", b"first")
    assert (chosen.photo, chosen.name) == (b"first", "mine.png")
    press(buttons[0], "other.png", b"second")
    assert (chosen.photo, chosen.name) == (b"second", "other.png")


@pytest.mark.parametrize("given", ["photos/b.JPG", "photos"])
def test_a_path_replaces_the_default(given, shown, tmp_path) -> None:
    photo = photo_at(tmp_path / "photos" / "b.JPG")
    photo_at(tmp_path / "photos" / "a.txt")
    photo_at(tmp_path / "photos" / "c.png")
    assert show.upload("old.jpg", path=str(tmp_path / given)).photo == photo


@pytest.mark.parametrize("given", ["nothing", "empty", "many.zip"])
def test_a_path_without_a_photograph_is_told(given, shown, capsys, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    photo_at(tmp_path / "many.zip")
    path = str(tmp_path / given)
    assert show.upload("old.jpg", path=path).photo == Path("old.jpg")
    assert capsys.readouterr().out == f"No photograph at {path}.\nGoing on with old.jpg.\n"


@pytest.fixture
def colab(monkeypatch):
    """google.colab, whose `files.upload` answers with what is put into the list."""
    answers: list[dict[str, bytes]] = []
    package = ModuleType("google.colab")
    package.files = SimpleNamespace(upload=lambda: answers.pop())
    for name, module in (("google", ModuleType("google")), ("google.colab", package)):
        module.__spec__ = ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    return answers


def test_on_colab_it_asks_when_told_to(colab, shown, capsys) -> None:
    colab.append({"mine.jpg": b"mine"})
    assert show.upload("old.jpg").photo == Path("old.jpg")
    assert "UPLOAD" in capsys.readouterr().out and len(colab) == 1  # nobody was asked
    assert show.upload("old.jpg", ask=True).photo == b"mine"
    assert capsys.readouterr().out == "Going on with mine.jpg.\n"
    assert shown == []


def test_on_colab_the_question_may_be_canceled(colab) -> None:
    colab.append({})
    assert show.upload("old.jpg", ask=True).photo == Path("old.jpg")


def test_kaggle_gets_the_button(colab, shown, monkeypatch) -> None:
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    show.upload("old.jpg", ask=True)
    assert len(shown) == 1


def test_without_ipywidgets_it_names_the_other_way(monkeypatch, shown, capsys) -> None:
    monkeypatch.setattr(sys.modules["pix2pix.show.upload"], "find_spec", lambda name: None)
    assert show.upload("old.jpg").photo == Path("old.jpg")
    assert "DATA" in capsys.readouterr().out and shown == []
