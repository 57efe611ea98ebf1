"""Export: weights on their way out, as a Hugging Face Space or as a model repo on the Hub.

Each is written from the same files that run here, so that what is exported is what was tried.
"""

from pix2pix.errors import ExportError
from pix2pix.export.hub import push_to_hub
from pix2pix.export.space import write_space

__all__ = ["ExportError", "push_to_hub", "write_space"]
