"""The line of a section: name, number, the bar that it is held against."""

from dataclasses import dataclass, field


@dataclass
class Line:
    """`met` is None where there is no bar."""

    name: str
    number: str
    bar: str = ""
    met: bool | None = None
    worst: list[str] = field(default_factory=list)
    """What fell short, or came nearest to it."""

    def __str__(self) -> str:
        """`name: number (bar: ...)`, and below it what fell short."""
        short = {True: "", False: "  <-- NOT MET", None: ""}[self.met]
        bar = f" (bar: {self.bar})" if self.bar else ""
        return "\n    ".join([f"{self.name}: {self.number}{bar}{short}", *self.worst])
