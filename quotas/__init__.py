"""Allocation periods, quotas and the arithmetic of admission."""
