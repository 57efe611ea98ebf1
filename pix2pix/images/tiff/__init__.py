"""TIFF: which page is the picture, and its pixels where Pillow cannot read them.

structure (header, directories) -> pages (which is the picture) -> layout (how its samples lie) ->
bands (their values) -> samples (a picture Pillow knows); extract makes a page a file of its own,
grid some of its strips or tiles. source reads a large file in parts; output writes one in parts, of
pieces that packing compresses. padding clears what libtiff leaves between the parts.
"""
