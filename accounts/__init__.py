"""People, identities, groups and who may see or charge what."""
