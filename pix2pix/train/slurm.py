"""SLURM: a job that gets a stop signal requeues itself, and resumes when it starts again."""

import os
import subprocess
from collections.abc import Callable


def job() -> str | None:
    """The id of this job, ARRAYID_TASKID in a job array; None outside of SLURM."""
    array, place = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{place}" if array and place else os.environ.get("SLURM_JOB_ID")


def requeue(say: Callable[[str], None]) -> bool:
    """Requeue this job -> whether that was done; the outcome goes to `say`.

    A job that is being canceled is left alone: only one that SLURM still counts as running was
    stopped because its time is almost up or another one takes its place. Source:
    https://slurm.schedmd.com/squeue.html#SECTION_JOB-STATE-CODES
    """
    if not (ident := job()):
        say("not started again: this is no SLURM job")
        return False
    try:
        state = ask("squeue", "--noheader", "--format=%T", f"--jobs={ident}")
        if state == "RUNNING":
            ask("scontrol", "requeue", ident)
            say(f"job {ident} is in the queue again")
            return True
        say(f"job {ident} is not started again: it is {state or 'unknown'}")
    except (OSError, subprocess.SubprocessError) as error:
        why = getattr(error, "stderr", None) or error
        say(f"job {ident} is not started again: {str(why).strip()}")
    return False


def ask(*command: str) -> str:
    """Run one of SLURM's commands -> its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()
