"""The version that the hub reports with `hub.started`."""

__version__ = "0.1.0"
