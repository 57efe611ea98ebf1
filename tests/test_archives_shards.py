"""Which part of a run is this machine's."""

import pytest

from pix2pix.archives import shards
from pix2pix.errors import SettingError

SLURM = {
    "SLURM_ARRAY_TASK_ID": "7",
    "SLURM_ARRAY_TASK_MIN": "1",
    "SLURM_ARRAY_TASK_MAX": "10",
    "SLURM_ARRAY_TASK_STEP": "3",
    "SLURM_ARRAY_TASK_COUNT": "4",
}
GRID = {
    "SGE_TASK_ID": "6",
    "SGE_TASK_FIRST": "2",
    "SGE_TASK_LAST": "8",
    "SGE_TASK_STEPSIZE": "2",
}
LSF = {"LSB_JOBINDEX": "3", "LSB_JOBINDEX_END": "8", "LSB_JOBINDEX_STEP": "1"}
AWS = {"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "8"}


@pytest.mark.parametrize(
    "text, environment, part",
    [
        ("2/8", {}, (2, 8)),
        ("2/8", AWS, (2, 8)),  # said by hand
        ("auto", SLURM, (3, 4)),
        ("auto", AWS, (1, 8)),
        ("auto/8", AWS, (1, 8)),
        ("auto/5", {"AWS_BATCH_JOB_ARRAY_INDEX": "4"}, (5, 5)),
        ("auto", {"JOB_COMPLETION_INDEX": "3", "JOB_COMPLETIONS": "4"}, (4, 4)),
        ("auto/4", {"JOB_COMPLETION_INDEX": "0"}, (1, 4)),
        ("auto", {"CLOUD_RUN_TASK_INDEX": "1", "CLOUD_RUN_TASK_COUNT": "2"}, (2, 2)),
        ("auto", {"BATCH_TASK_INDEX": "1", "BATCH_TASK_COUNT": "2"}, (2, 2)),
        ("auto", GRID, (3, 4)),
        ("auto/9", {"PBS_ARRAY_INDEX": "9"}, (9, 9)),
        ("auto", LSF, (3, 8)),
        ("auto", SLURM | {"SGE_TASK_ID": "undefined", "LSB_JOBINDEX": "0"}, (3, 4)),
        ("auto", {"BATCH_TASK_INDEX": "1", "BATCH_TASK_COUNT": "2"} | {"JOB_COMPLETION_INDEX": "1",
          "JOB_COMPLETIONS": "2"}, (2, 2)),
    ],
)  # fmt: skip
def test_a_part_is_found(text, environment, part):
    assert shards.parse(text, environment) == part


@pytest.mark.parametrize(
    "text, environment, said",
    [
        ("auto", {}, "SLURM_ARRAY_TASK_ID, AWS_BATCH_JOB_ARRAY_INDEX, JOB_COMPLETION_INDEX"),
        ("auto", {"JOB_COMPLETION_INDEX": "0"}, "it looked for JOB_COMPLETIONS; give auto/N"),
        ("auto", {"PBS_ARRAY_INDEX": "1"}, "give auto/N"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "1"}, "looked for SLURM_ARRAY_TASK_MIN"),
        ("auto/4", {"PBS_ARRAY_INDEX": "0"}, "not one of 4 tasks from 1 on"),
        ("auto/4", {"JOB_COMPLETION_INDEX": "4"}, "not one of 4"),
        ("auto/4", AWS, "auto/4, but AWS Batch says 8"),
        ("auto", SLURM | {"SLURM_ARRAY_TASK_COUNT": "2"}, "give I/N"),  # --array=1,7 again
        ("auto", SLURM | {"SLURM_ARRAY_TASK_ID": "8"}, "by 3"),
        ("auto", SLURM | {"SLURM_ARRAY_TASK_STEP": "0"}, "STEP is 0"),
        ("auto", AWS | {"AWS_BATCH_JOB_ARRAY_INDEX": "x"}, "'x', not a number"),
        ("auto", AWS | LSF, "AWS Batch says 1/8, LSF says 3/8"),
        ("auto/0", AWS, "not auto/0"),
        ("auto/", AWS, "not auto/"),
        ("3/2", {}, "not 3/2"),
        ("0/2", {}, "not 0/2"),
        ("\u00b2/\u00b2", {}, "I/N"),
        ("x", {}, "I/N"),
    ],
)
def test_what_is_no_part_says_what_was_looked_for(text, environment, said):
    with pytest.raises(SettingError) as caught:
        shards.parse(text, environment)
    assert said in caught.value.reason


def test_every_array_gives_each_of_its_tasks_another_part():
    parts = {shards.parse("auto", SLURM | {"SLURM_ARRAY_TASK_ID": str(i)}) for i in range(1, 11, 3)}
    assert parts == {(1, 4), (2, 4), (3, 4), (4, 4)}
