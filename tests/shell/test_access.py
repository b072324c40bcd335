"""The way to the API server is found, and one that cannot be used is one line."""

import json
from typing import Any

import pytest

from headgate.adapters import cluster
from headgate.core.model import Json


async def test_kubeconfig_without_use_is_one_line(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig that is missing, no YAML or empty is told in one line with its path."""
    for name, text in (("missing", None), ("garbage", "{{{"), ("empty", ""), ("hollow", "kind: Config")):
        path = tmp_path / name
        if text is not None:
            path.write_text(text)
        monkeypatch.setenv("KUBECONFIG", str(path))
        with pytest.raises(cluster.NoAccessError) as error:
            await cluster.find()
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def kubeconfig(at: Json) -> Json:
    """Return a kubeconfig for the cluster *at*."""
    return {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": at}],
        "users": [{"name": "x", "user": {"token": "hunter2"}}],
    }


async def test_login_is_the_clients_own(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other clients log in with what this one uses, and its token is in no repr."""
    path = tmp_path / "config"
    path.write_text(json.dumps(kubeconfig({"server": "http://127.0.0.1:1"})))
    monkeypatch.setenv("KUBECONFIG", str(path))
    login = await (await cluster.find()).login()

    assert (login.server, login.authorization) == ("http://127.0.0.1:1", "Bearer hunter2")
    assert "hunter2" not in repr(login)


@pytest.mark.parametrize(
    ("environment", "named", "proxy"),
    [
        ({}, "", None),
        ({"https_proxy": "http://proxy:1"}, "", "http://proxy:1"),
        ({"https_proxy": "http://proxy:1", "no_proxy": "api.example"}, "", None),
        ({"https_proxy": "http://proxy:1"}, "http://own:2", "http://own:2"),
    ],
    ids=["none", "environment", "exempt", "kubeconfig"],
)
async def test_proxy_is_asked_for_once(
    environment: dict[str, str], named: str, proxy: str | None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's proxy is used where the kubeconfig names none, and nothing asks for it at every request."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    at: Json = (
        {"server": "https://api.example:6443", "proxy-url": named} if named else {"server": "https://api.example"}
    )
    path = tmp_path / "config"
    path.write_text(json.dumps(kubeconfig(at)))
    monkeypatch.setenv("KUBECONFIG", str(path))
    access = await cluster.find()
    client = cluster.Cluster(access)
    await client.close()

    assert (await access.login()).proxy_url == proxy
    assert access.configuration.client_session_kwargs == {"trust_env": False}
