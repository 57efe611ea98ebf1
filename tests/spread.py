"""How tests are spread over processes: a file's go to one, where its fixtures are made once.

Long files start first, so that the processes end together; files that share a running page are one,
and so are those that start Ray, which misses its limits where two start on two cores. Files whose
tests each run for minutes are spread test by test.
"""

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

TOGETHER = {"test_page_tabs": "test_page", "test_archives_ray": "test_archives_page"}
APART = {"test_course_run"}
# What takes more than 20 s of one processor, the longest first.
LONGEST = (
    *("test_course_run", "test_page_touch", "test_service_strangers", "test_service_load"),
    *("test_page", "test_archives_page", "test_docs", "test_train_bundled", "test_colorize_export"),
    *("test_train_loop", "test_train_config", "test_train_gpu"),
    *("test_base_install", "test_images_bombs", "test_terminal_streams", "test_readme"),
    "test_cli",
    *("test_train_processes", "test_train_slurm", "test_images_archives", "test_nets_backbones"),
)


class ByFile(LoadScopeScheduling):
    """A file's tests, or those of several that belong together, in their order in one process."""

    def _split_scope(self, nodeid: str) -> str:
        stem = PurePosixPath(nodeid.split("::", 1)[0]).stem
        return nodeid if stem in APART else TOGETHER.get(stem, stem)

    def _assign_work_unit(self, node) -> None:
        first = next((s for name in LONGEST for s in self.workqueue if self._is(s, name)), None)
        if first:
            self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)

    def _is(self, scope: str, name: str) -> bool:
        return scope == name or PurePosixPath(scope.split("::", 1)[0]).stem == name
