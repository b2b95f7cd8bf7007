"""Servers that the portal runs itself, as far as rows go; the cluster is in sessions.kubernetes."""
