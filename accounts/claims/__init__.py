"""From what identity providers say to memberships of groups."""
