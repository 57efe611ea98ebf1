"""What every test shares: no network, one torch thread a test process, sample pictures."""

import os
import signal
import sys

import absl.logging
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line sets it
if "PYTEST_XDIST_WORKER" in os.environ:  # two processes with two threads each fight for two cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# absl, which OpenVINO imports, closes what stood for stderr then, such as pytest's own, as soon as
# anybody configures logging
absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__
# jsonschema, which nbformat loads, would compile a grammar of addresses for 2 s; no schema asks it
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as shells start what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # processes of tests do hear Ctrl-C

# Fixtures that start a process which imports torch.
STARTED = {"app", "hinted", "running", "service", "tab", "target"}


def pytest_xdist_make_scheduler(config, log):
    from spread import ByFile

    return ByFile(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """A test that asks a running service, a page or the like waits for its start: it is slow."""
    for item in items:
        if STARTED & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
