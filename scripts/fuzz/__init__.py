"""Fuzzing of pix2pix.images: seeds made by code, mutations, one run's verdict, the watch."""
