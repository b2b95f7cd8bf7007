"""Which images are on which nodes of the cluster, as it was seen last."""

from __future__ import annotations

from django.db import models


class NodeImage(models.Model):
    """An image on a node, by its reference; written anew at every look at the cluster."""

    class State(models.TextChoices):
        PRESENT = "present", "is there"
        FETCHING = "fetching", "is being fetched"
        WAITING = "waiting", "waits for its turn"
        FAILED = "failed", "could not be fetched"
        LEFT_OUT = "left_out", "node left out"

    reference = models.CharField("image", max_length=255)
    node = models.CharField(max_length=253)
    state = models.CharField(max_length=10, choices=State)
    message = models.TextField(blank=True)
    since = models.DateTimeField()

    class Meta:
        verbose_name = "image on a node"
        verbose_name_plural = "images on nodes"
        constraints = (
            models.UniqueConstraint(fields=["reference", "node"], name="one_state_per_node_image"),
        )

    def __str__(self) -> str:
        return f"{self.reference} on {self.node}"
