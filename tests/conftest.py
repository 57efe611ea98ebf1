"""What every test shares: no network, one torch thread a test process, sample pictures."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
if "PYTEST_XDIST_WORKER" in os.environ:  # two processes with two threads each fight for two cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_make_scheduler(config, log):
    from spread import ByFile

    return ByFile(config, log)
