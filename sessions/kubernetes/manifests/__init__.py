"""Pure builders of the objects that the portal makes in a cluster."""
