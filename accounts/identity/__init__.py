"""Signing in with identity providers: one module for each kind of provider."""
