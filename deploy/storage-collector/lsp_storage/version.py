"""The version of the collector."""

__version__ = "0.1.0"
