"""Container registries, and the catalogue of images that follows from their tags."""
