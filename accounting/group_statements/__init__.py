"""What a group used in a time, to be handed on: the frozen part of a statement, or provisional."""
