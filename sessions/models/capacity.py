"""What room the cluster has, as it was seen last; rows are written anew at every look."""

from __future__ import annotations

from django.db import models

from sessions.models.hubs import Size


class ClusterNode(models.Model):
    """A node: what it has for pods, and what those on it ask for, room for servers left out."""

    class State(models.TextChoices):
        OPEN = "open", "takes servers"
        RESERVED = "reserved", "reserved for other work"
        CORDONED = "cordoned", "cordoned"
        NOT_READY = "not_ready", "not ready"

    name = models.CharField(max_length=253, primary_key=True)
    state = models.CharField(max_length=9, choices=State)
    message = models.TextField(blank=True, help_text="Why it takes no servers.")
    cpu_millicores = models.PositiveBigIntegerField("CPU (millicores)")
    cpu_asked = models.PositiveBigIntegerField("CPU asked for (millicores)")
    memory_mib = models.PositiveBigIntegerField("memory (MiB)")
    memory_asked = models.PositiveBigIntegerField("memory asked for (MiB)")
    gpus = models.PositiveIntegerField("GPUs")
    gpus_asked = models.PositiveIntegerField("GPUs asked for")
    servers = models.PositiveIntegerField(help_text="Pods of people's servers on it.")
    placeholders = models.PositiveIntegerField(help_text="Pods that keep room for servers on it.")
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)
        verbose_name = "node of the cluster"
        verbose_name_plural = "nodes of the cluster"

    def __str__(self) -> str:
        return self.name


class SizeRoom(models.Model):
    """How many servers of a size would have found a place when the cluster was seen last."""

    size = models.OneToOneField(
        Size, primary_key=True, on_delete=models.CASCADE, related_name="room"
    )
    free = models.PositiveIntegerField(help_text="If nothing else were started.")
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name = "room for a size"
        verbose_name_plural = "room by size"

    def __str__(self) -> str:
        return f"{self.free} free of {self.size}"
