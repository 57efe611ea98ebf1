"""AVIF and HEIF (ISO base media files): how large they truly are, and what their colors mean.

boxes (the structure) -> heif (size) and color; av1 and hevc read the headers of coded pictures.
"""
