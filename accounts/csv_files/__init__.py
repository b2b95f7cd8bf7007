"""People, groups and memberships as CSV files: in, checked row by row, and out."""
