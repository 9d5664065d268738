"""Speeds, measured side by side in one run; never imported by the packages."""
