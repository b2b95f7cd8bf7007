"""Static files under hashed names once collected, and under their plain names until then."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """What the last `collectstatic` did not see keeps its plain name instead of being an error."""

    def stored_name(self, name: str) -> str:
        return super().stored_name(name) if self.hash_key(name) in self.hashed_files else name
