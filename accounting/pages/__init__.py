"""The pages on usage: of a person, of a group, of the whole service."""
