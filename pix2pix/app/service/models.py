"""The model that the page compares with: the course's, where it loads."""

from pix2pix.app.service.logs import log
from pix2pix.colorize.colorizer import Colorizer
from pix2pix.errors import one_line

COURSE = "pix2pix"  # its bundled weights


def load_course(colorizer: Colorizer) -> Colorizer | None:
    """Load the course's model for comparison; None where `colorizer` is it, or it does not load.

    It is optional: why it does not load is a line of the log, and the page goes without.
    """
    if colorizer.name == COURSE:
        return None
    try:
        return Colorizer.from_pretrained(COURSE, device=colorizer.device)
    except Exception as error:  # missing, broken, or without room on the device
        log.warning("no model to compare with", extra={"fields": {"reason": one_line(error)}})
        return None
