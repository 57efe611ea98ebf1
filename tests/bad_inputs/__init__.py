"""Builders of odd, broken and hostile picture files: made by code, never stored."""
