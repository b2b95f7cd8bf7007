"""What the settings say of the cluster, and what they must not say."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from sessions.kubernetes.client import Client
from sessions.kubernetes.configuration import NotConfigured, cluster


@pytest.fixture(autouse=True)
def kubeconfig(settings: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text("{}")
    settings.KUBECONFIG = str(path)
    return path


def test_a_kubeconfig_is_all_that_must_be_set(kubeconfig: Path) -> None:
    known = cluster()
    assert (known.kubeconfig, known.namespace, known.is_per_user) == (str(kubeconfig), "lsp", False)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"KUBECONFIG": ""}, "Set KUBECONFIG"),
        ({"KUBECONFIG": "/nowhere/config"}, "KUBECONFIG names no file"),
        ({"KUBERNETES_NAMESPACE": "LSP"}, "at most 63 lower-case letters"),
        (
            {"KUBERNETES_NAMESPACES": "per_user", "KUBERNETES_NAMESPACE": "x" * 21},
            "at most 20 lower-case letters",
        ),
        ({"KUBERNETES_HOMES": "directory"}, "needs KUBERNETES_SHARED_CLAIM"),
        (
            {
                "KUBERNETES_HOMES": "directory",
                "KUBERNETES_SHARED_CLAIM": "homes",
                "KUBERNETES_NAMESPACES": "per_user",
            },
            "needs KUBERNETES_NAMESPACES=one",
        ),
        ({"NOTEBOOKS_REPOSITORY": "--upload-pack=x"}, "NOTEBOOKS_REPOSITORY must be an address"),
        (
            {"NOTEBOOKS_REPOSITORY": "https://bob:secret@git.example.org/x.git"},
            "cannot be kept secret",
        ),
        (
            {"NOTEBOOKS_REPOSITORY": "https://git.example.org/x.git", "NOTEBOOKS_REF": "--all"},
            "NOTEBOOKS_REF must be",
        ),
        *(
            (
                {
                    "NOTEBOOKS_REPOSITORY": "https://git.example.org/x.git",
                    "NOTEBOOKS_DIRECTORY": directory,
                },
                "NOTEBOOKS_DIRECTORY must be a path within the home",
            )
            for directory in ("../other", "/notebooks", "a//b", "-a", ".")
        ),
        ({"KUBERNETES_HUB_LABELS": {}}, "at least one label"),
        ({"KUBERNETES_EGRESS": ["10.1.2.3/8"]}, "addresses like 10.1.2.0/24"),
        ({"KUBERNETES_PULL_SECRETS": ["my_secret"]}, "names of secrets, .* not 'my_secret'"),
        ({"KUBERNETES_EGRESS": ["database"]}, "addresses like 10.1.2.0/24"),
    ],
)
def test_what_cannot_be_is_said_with_what_to_set(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], message: str
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for name, value in changed.items():
        setattr(settings, name, value)
    with pytest.raises(NotConfigured, match=message):
        cluster()


def test_in_a_pod_the_service_account_counts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KUBECONFIG = ""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1")
    assert cluster().kubeconfig == ""


def test_a_file_that_is_no_kubeconfig_is_told() -> None:
    with pytest.raises(NotConfigured, match="configuration cannot be used"):
        Client.of(cluster())
