"""The API for people: users, groups, memberships, invitations."""
