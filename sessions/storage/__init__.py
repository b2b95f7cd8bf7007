"""Measured storage: what is recorded, by whom it is read, and what it comes to."""
