"""Where things lie: test files ask here, so that they may move."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
DOCS = ROOT / "docs"
SAMPLES = ROOT / "resources" / "samples"
SCRIPTS = ROOT / "scripts"  # pytest's pythonpath too: tests import its modules by name
BENCHMARKS = ROOT / "benchmarks"
