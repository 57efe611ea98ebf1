"""Metadata: out of a photo (reader), made true for its colored copy (statement), into it (writer).

Where it stands in a file: segments (JPEG), items (boxes), texts (comments, PNG text). What it is:
exif (exif_kept, exif_write), iptc, xmp (markup; provenance, regions and captions change packets).
"""
