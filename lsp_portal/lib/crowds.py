"""How many at once are rather a mistake of the source than the truth."""

CROWD = 10  # so many at once are never taken for a mistake


def is_crowd(count: int, *, of: int, percent: int) -> bool:
    """Whether so many of them are more than ten, and more than that share."""
    return count > CROWD and count * 100 > of * percent
