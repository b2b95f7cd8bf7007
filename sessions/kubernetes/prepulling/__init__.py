"""Fetching images onto nodes before anybody waits for them, without any privilege."""
