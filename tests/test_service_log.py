"""The log of the service: what libraries say and print is told without its words."""

import json
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pix2pix import images
from pix2pix.app.service.logs import set_up_logging
from pix2pix.app.service.printed import nothing_printed, say, true_stream

CANARY = "canary"


Told = list[dict[str, Any]]


@contextmanager
def service_log(capsys: pytest.CaptureFixture[str]) -> Iterator[Told]:
    """Within, streams and log are as in a service; then, what the log holds of it."""
    root, told = logging.getLogger(), []
    handlers, level = root.handlers[:], root.level
    with nothing_printed():
        set_up_logging()
        yield told
    root.handlers[:] = handlers
    root.setLevel(level)
    out, err = capsys.readouterr()
    assert CANARY not in out + err
    told += [json.loads(line) for line in err.splitlines()]


def test_what_is_printed_is_told_by_its_place_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with service_log(capsys) as told:
        print(CANARY, CANARY)
        print(CANARY, file=sys.stderr)
    assert {entry["event"] for entry in told} == {"printed"}
    assert told and all("test_service_log.py" in entry["at"] for entry in told)


def test_a_printed_traceback_is_told_once_and_without_its_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with service_log(capsys) as told:
        for _ in range(2):
            try:
                int(CANARY)
            except ValueError:
                traceback.print_exc()
                traceback.print_exc()
    assert [(entry["level"], entry["error"]) for entry in told] == [("warning", "ValueError")] * 2
    assert "test_service_log.py" in told[0]["at"][-1]


def test_a_fault_of_our_own_code_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with service_log(capsys) as told:
        try:
            images.output_format(None)  # type: ignore[arg-type]
        except AttributeError:
            traceback.print_exc()
    assert [(entry["level"], entry["error"]) for entry in told] == [("error", "AttributeError")]


def test_other_libraries_records_and_warnings_lose_their_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with service_log(capsys) as told:
        logging.getLogger("asyncio").error("Task failed: %r", CANARY)
        error = ValueError(CANARY)
        logging.getLogger("gradio.history").warning(CANARY, exc_info=error)
        warnings.warn(CANARY, UserWarning, stacklevel=1)
        logging.getLogger("uvicorn.error").info("Shutting down")
    assert told[0]["event"].startswith("asyncio: test_service_log.py:")
    assert told[1]["error"] == "ValueError"
    assert told[2]["warning"] == "UserWarning" and "test_service_log.py" in told[2]["at"]
    assert told[3]["event"] == "Shutting down"


def test_a_thread_that_fails_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError(CANARY)

    with service_log(capsys) as told:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    assert told[0]["error"] == "ValueError" and told[0]["at"][-1].endswith(" fail")


def test_our_own_lines_are_printed_and_the_streams_come_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, hook = sys.stdout, threading.excepthook
    with pytest.raises(ZeroDivisionError), nothing_printed():
        assert sys.stdout is not out and true_stream(sys.stdout) is out
        say("Serving")
        raise ZeroDivisionError
    assert sys.stdout is out and threading.excepthook is hook
    assert capsys.readouterr() == ("Serving\n", "")
