"""What can go wrong with a registry, in words for administrators."""

from __future__ import annotations


class RegistryFailed(Exception):  # noqa: N818 - as HubUnavailable
    """There is no usable answer; the text says why, and what to do."""


class ImageMissing(RegistryFailed):
    """The registry has no such tag or digest."""
