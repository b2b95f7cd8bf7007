"""Closed allocation periods: frozen, chained by hashes, corrected only by the next."""
