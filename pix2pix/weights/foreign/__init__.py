"""Checkpoints of other projects become weights files of ours: `pix2pix convert` (docs/recipes.md).

layouts.py says how each names its tensors, checkpoint.py reads what they wrote, mapping.py maps and
writes.
"""
