"""Telling people what concerns them: once each, on the pages and by mail."""
