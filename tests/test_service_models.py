"""The course's model is optional: the service and its page are whole without it."""

import json
import logging

import pytest
import uvicorn
from serving import tiny_colorizer
from starlette.testclient import TestClient

from pix2pix.app.page import build_page
from pix2pix.app.service import page_server
from pix2pix.app.service import server as serve
from pix2pix.app.service.models import COURSE, load_course
from pix2pix.colorize import Colorizer


@pytest.fixture(params=["missing", "broken"])
def without_course(request: pytest.FixtureRequest, tmp_path, monkeypatch) -> None:
    """The course's weights are missing, or broken."""
    if request.param == "broken":
        (tmp_path / f"{COURSE}.safetensors").write_bytes(b"broken")
    monkeypatch.setattr("pix2pix.weights.header.BUNDLED", tmp_path)


@pytest.mark.slow
def test_the_service_is_ready_without_it(without_course, monkeypatch, capsys) -> None:
    answers, pages = [], []

    def ask(server: uvicorn.Server) -> None:
        client = TestClient(server.config.app, base_url="http://localhost")
        answers.append(client.get("/readyz"))

    def build(*args, **options):
        pages.append(build_page(*args, **options))
        return pages[0]

    monkeypatch.setattr(page_server, "build_page", build)
    monkeypatch.setattr(uvicorn.Server, "run", ask)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # the service sets its own
    serve.run_service(tiny_colorizer)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (answers[0].status_code, answers[0].json()) == (200, {"status": "ready"})
    names = {getattr(block, "elem_id", None) for block in pages[0].blocks.values()}
    assert "ask-takes" in names and "ask-models" not in names
    said = [entry for entry in told if entry["event"] == "no model to compare with"]
    assert len(said) == 1 and said[0]["level"] == "warning" and COURSE in said[0]["reason"]


def test_it_is_there_where_it_loads_and_another_model_colors() -> None:
    course = load_course(tiny_colorizer())
    assert course is not None and course.name == COURSE
    assert load_course(Colorizer.from_pretrained(COURSE, device="cpu")) is None
