"""Dask clusters of sessions, as far as rows go; what is in Kubernetes is in sessions.kubernetes."""
