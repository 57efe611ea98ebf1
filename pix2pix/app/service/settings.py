"""Settings: where the service is found, whom it answers, and what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pix2pix.app.limits import Limits
from pix2pix.app.service.hosts import Hosts


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `pix2pix serve` is told."""

    host: str = "127.0.0.1"
    port: int = 7860  # 0 takes a free one
    workers: int | None = None  # photos at a time; by default one a core, at most 4
    page: bool = True  # with the Gradio page, which takes seconds to import,
    compare: bool = True  # and there with the course's model to compare with, where it loads
    allow_hosts: Sequence[str] = ()  # names that it answers to, too; "*" is any
    metrics: bool = False  # open /metrics to whoever reaches the service
    root_path: str = ""  # under which a proxy shows it, such as /photos (see `parse_root`)
    cors: Sequence[str] = ()  # origins whose pages may call the API (see `parse_origin`)
    limits: Limits = field(default_factory=Limits)

    @property
    def hosts(self) -> Hosts:
        """The names that it answers to. Raises ValueError for an allowed one that is none."""
        return Hosts.of(self.host, self.allow_hosts)
