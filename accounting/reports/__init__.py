"""Usage by any one or two of group, person, hub, image, size and institution."""
