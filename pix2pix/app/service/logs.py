"""The service's log, one JSON object a line on stderr, and its metrics for Prometheus.

Neither holds a file's content, its name, a query or an address.
"""

import json
import logging
import sys
import time
import traceback

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pix2pix.app.service.printed import true_stream
from pix2pix.colorize.workers import Workers

log = logging.getLogger("pix2pix.serve")
_PLAIN = ("pix2pix", "uvicorn")  # whose words hold nothing of a visitor's


class JsonLines(logging.Formatter):
    """A record as one line of JSON; `extra={"fields": {...}}` adds to it."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": _words(record),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            # no message: it may name a file
            entry["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            entry["at"] = [f"{f.filename}:{f.lineno} {f.name}" for f in frames[-8:]]
        return json.dumps(entry)


def _words(record: logging.LogRecord) -> str:
    """A record's message; of another library's, which may quote a visitor, only its place."""
    if record.name.partition(".")[0] in _PLAIN:
        return record.getMessage()
    return f"{record.name}: {record.filename}:{record.lineno}"


def set_up_logging() -> None:
    """Send all records to stderr as JSON."""
    handler = logging.StreamHandler(true_stream(sys.stderr))
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in ("pix2pix.serve", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)
    # what it complains of is bytes of files
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self, workers: Workers | None):
        self.registry = own = CollectorRegistry()
        self.requests = Counter(
            "pix2pix_requests", "Requests answered.", ["route", "method", "status"], registry=own
        )
        self.seconds = Histogram(
            "pix2pix_request_seconds",
            "From a request's first byte to the last of its answer.",
            ["route"],
            buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60),
            registry=own,
        )
        self.refused = Counter(
            "pix2pix_refused", "Photos refused, by code.", ["code"], registry=own
        )
        self.received = Counter("pix2pix_received_bytes", "Bytes of bodies received.", registry=own)
        self.in_flight = Gauge(
            "pix2pix_requests_in_flight", "Requests not yet answered.", registry=own
        )
        if workers is not None:
            queued = Gauge("pix2pix_queue_length", "Photos that wait.", registry=own)
            queued.set_function(lambda: workers.queued)
            running = Gauge("pix2pix_running", "Photos in work.", registry=own)
            running.set_function(lambda: workers.running)
