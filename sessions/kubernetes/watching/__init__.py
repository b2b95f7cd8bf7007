"""Watching the cluster: lists and watches of pods become evidence of sessions."""
