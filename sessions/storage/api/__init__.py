"""Measured storage for programs."""
