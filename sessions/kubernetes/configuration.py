"""The cluster that servers run in, as the settings describe it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
LONGEST_NAMESPACE = 63
SECRET = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
LONGEST_SECRET = 253
LONGEST_PREFIX = 20  # leaves room for a person's slug
REPOSITORY = re.compile(r"https?://[^\s@]+")
REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")
HUB_LABELS = {"hub.jupyter.org/network-access-singleuser": "true"}  # of Zero to JupyterHub

DASK_LABELS = {"app.kubernetes.io/name": "dask-kubernetes-operator"}  # of its Helm chart


class NotConfigured(ImproperlyConfigured):
    """The cluster cannot be used with these settings; the text says what to set."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster, and how servers live in it.

    `namespace` is the name of the one namespace, or the prefix of those that people have.
    """

    kubeconfig: str = ""  # a path; empty: the pod's own service account
    namespaces: str = "one"  # or "per_user"
    namespace: str = "lsp"
    homes: str = "claim"  # or "directory"
    home_access: str = "ReadWriteMany"
    storage_class: str = ""  # empty: the cluster's default
    shared_claim: str = ""
    notebooks_repository: str = ""  # empty: no standard notebooks
    notebooks_ref: str = "HEAD"
    notebooks_directory: str = "notebooks"
    notebooks_image: str = ""  # empty: the server's own
    hub_namespace: str = "jupyterhub"
    hub_labels: Mapping[str, str] = field(default_factory=lambda: dict(HUB_LABELS))
    hub_port: int = 8081
    egress: tuple[str, ...] = ()
    user_quota: Mapping[str, str] = field(default_factory=dict)
    gpu_resource: str = "nvidia.com/gpu"
    pull_secrets: tuple[str, ...] = ()  # names of secrets where the pods are
    tmp_mib: int = 1024
    dask_namespace: str = "dask-operator"
    dask_labels: Mapping[str, str] = field(default_factory=lambda: dict(DASK_LABELS))
    start_seconds: int = 600
    stop_seconds: int = 60

    @property
    def is_per_user(self) -> bool:
        return self.namespaces == "per_user"


def cluster() -> Cluster:
    """The cluster of the settings. Raises NotConfigured with what to set."""
    known = Cluster(
        kubeconfig=settings.KUBECONFIG,
        namespaces=settings.KUBERNETES_NAMESPACES,
        namespace=settings.KUBERNETES_NAMESPACE,
        homes=settings.KUBERNETES_HOMES,
        home_access=settings.KUBERNETES_HOME_ACCESS,
        storage_class=settings.KUBERNETES_STORAGE_CLASS,
        shared_claim=settings.KUBERNETES_SHARED_CLAIM,
        notebooks_repository=settings.NOTEBOOKS_REPOSITORY,
        notebooks_ref=settings.NOTEBOOKS_REF,
        notebooks_directory=settings.NOTEBOOKS_DIRECTORY,
        notebooks_image=settings.NOTEBOOKS_IMAGE,
        hub_namespace=settings.KUBERNETES_HUB_NAMESPACE,
        hub_labels=settings.KUBERNETES_HUB_LABELS,
        hub_port=settings.KUBERNETES_HUB_PORT,
        egress=tuple(settings.KUBERNETES_EGRESS),
        user_quota=settings.KUBERNETES_USER_QUOTA,
        gpu_resource=settings.KUBERNETES_GPU_RESOURCE,
        pull_secrets=tuple(settings.KUBERNETES_PULL_SECRETS),
        tmp_mib=settings.KUBERNETES_TMP_MIB,
        dask_namespace=settings.KUBERNETES_DASK_NAMESPACE,
        dask_labels=settings.KUBERNETES_DASK_LABELS,
        start_seconds=settings.KUBERNETES_START_SECONDS,
        stop_seconds=settings.KUBERNETES_STOP_SECONDS,
    )
    checks = (
        _check_access, _check_namespace, _check_homes, _check_notebooks, _check_network,
        _check_secrets,
    )  # fmt: skip
    for check in checks:
        check(known)
    return known


def _check_access(known: Cluster) -> None:
    if known.kubeconfig and not Path(known.kubeconfig).is_file():
        raise NotConfigured(f"KUBECONFIG names no file: {known.kubeconfig}.")
    if not known.kubeconfig and "KUBERNETES_SERVICE_HOST" not in os.environ:
        raise NotConfigured(
            "The portal knows no cluster. Set KUBECONFIG to the path of a kubeconfig file, "
            "or run the portal in a pod of the cluster."
        )


def _check_namespace(known: Cluster) -> None:
    longest = LONGEST_PREFIX if known.is_per_user else LONGEST_NAMESPACE
    if len(known.namespace) > longest or not NAMESPACE.fullmatch(known.namespace):
        raise NotConfigured(
            f"KUBERNETES_NAMESPACE must be at most {longest} lower-case letters, digits and "
            "hyphens, with a letter or digit at both ends."
        )


def _check_homes(known: Cluster) -> None:
    if known.homes != "directory":
        return
    if not known.shared_claim:
        raise NotConfigured(
            "KUBERNETES_HOMES=directory needs KUBERNETES_SHARED_CLAIM, "
            "the name of the claim whose directories the homes are."
        )
    if known.is_per_user:
        raise NotConfigured(
            "KUBERNETES_HOMES=directory needs KUBERNETES_NAMESPACES=one: "
            "a claim cannot be used from several namespaces."
        )


def _check_notebooks(known: Cluster) -> None:
    """What would be an option to git, or lead out of the home, is a mistake."""
    if not known.notebooks_repository:
        return
    if not REPOSITORY.fullmatch(known.notebooks_repository):
        raise NotConfigured(
            "NOTEBOOKS_REPOSITORY must be an address like https://git.example.org/notebooks.git; "
            "one with a password cannot be kept secret in a pod."
        )
    if not REF.fullmatch(known.notebooks_ref):
        raise NotConfigured("NOTEBOOKS_REF must be a branch, a tag or a commit.")
    parts = known.notebooks_directory.split("/")
    if any(not part.strip(".") or part.startswith("-") for part in parts):
        raise NotConfigured("NOTEBOOKS_DIRECTORY must be a path within the home, like notebooks.")


def _check_network(known: Cluster) -> None:
    if not known.hub_labels:
        raise NotConfigured("KUBERNETES_HUB_LABELS must name at least one label as key=value.")
    if not known.dask_labels:
        raise NotConfigured("KUBERNETES_DASK_LABELS must name at least one label as key=value.")
    for block in known.egress:
        try:
            ip_network(block)
        except ValueError as error:
            raise NotConfigured(
                f"KUBERNETES_EGRESS must hold addresses like 10.1.2.0/24: {error}."
            ) from error


def _check_secrets(known: Cluster) -> None:
    for name in known.pull_secrets:
        if len(name) > LONGEST_SECRET or not SECRET.fullmatch(name):
            raise NotConfigured(
                "KUBERNETES_PULL_SECRETS must hold names of secrets, at most "
                f"{LONGEST_SECRET} lower-case letters, digits, hyphens and dots, not {name!r}."
            )
