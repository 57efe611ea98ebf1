"""What `run.py` measures: each module's `run(plan)` gives figures."""
