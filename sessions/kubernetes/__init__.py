"""The Kubernetes driver: everything about the cluster that servers run in."""
