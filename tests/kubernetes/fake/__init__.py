"""A stateful API server of Kubernetes over real HTTP, with the habits that the portal must bear."""

from tests.kubernetes.fake.cluster import FakeCluster

__all__ = ["FakeCluster"]
