"""Hydra configuration: a package, so that the installed command finds it."""
