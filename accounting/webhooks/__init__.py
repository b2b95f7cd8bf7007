"""Telling other programs of usage, storage and quotas as they become known."""
