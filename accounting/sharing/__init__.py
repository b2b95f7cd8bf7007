"""Statements of groups for people without an account: by link, and by mail every month."""
