"""Names of people and groups: one name space, safe for hubs, POSIX and XDMoD."""

from django.core.validators import RegexValidator

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,29}\Z"
NAME_REGEX = r"^[a-z][a-z0-9-]{0,29}$"
"""The same for PostgreSQL, where `$` matches only the very end."""

validate_name = RegexValidator(
    NAME_PATTERN,
    "Use 1 to 30 characters: lower-case letters, digits and hyphens, beginning with a letter.",
    code="bad_name",
)
