"""Finds the API server and the credentials for it, and keeps these fresh: a kubeconfig or a pod's service account.

A kubeconfig named by KUBECONFIG wins, as a wish that somebody expressed; then the service account; then ~/.kube/config.
"""

import dataclasses
import os
import pathlib
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Final

from kubernetes.aio import config as kube_config
from kubernetes.aio.client import Configuration

REREAD_SECONDS: Final = 300.0
"""How old what a kubeconfig or its exec plugin said may grow: EKS tokens live for 15 minutes, others longer."""

_TOKEN_FILE: Final = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_HOME_FILE: Final = pathlib.Path("~/.kube/config")


class NoAccessError(Exception):
    """There is no way to the API server; the message is one line that says what would be one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Login:
    """The API server and how to log in there, for other clients in this process."""

    server: str
    ca_path: str | None = None
    insecure: bool = False
    authorization: str | None = dataclasses.field(default=None, repr=False)
    """The header's value: scheme and token."""
    certificate_path: str | None = None
    private_key_path: str | None = None
    proxy_url: str | None = None


class Access:
    """The way to one API server. Make one with `find`."""

    def __init__(self, configuration: Configuration, source: str) -> None:
        self.configuration = configuration
        self.source = source
        """Where it was found, for people."""

    async def login(self) -> Login:
        """Return what another client needs to log in, as fresh as our own credentials."""
        configuration = self.configuration
        return Login(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            authorization=await configuration.get_api_key_with_prefix("BearerToken"),
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
            proxy_url=configuration.proxy,
        )


async def find() -> Access:
    """Return the way to the API server.

    Raises:
        NoAccessError: if there is none.
    """
    access = await _found()
    _send_by_proxy(access.configuration)
    return access


async def _found() -> Access:
    named = os.environ.get("KUBECONFIG", "")
    if named:
        return await _from_file(named)
    if os.environ.get("KUBERNETES_SERVICE_HOST") and _TOKEN_FILE.exists():
        return _from_service_account()
    if _HOME_FILE.expanduser().exists():
        return await _from_file(str(_HOME_FILE.expanduser()))
    raise NoAccessError("no Kubernetes API server: set KUBECONFIG, or run in a pod with a service account")


def _send_by_proxy(configuration: Configuration) -> None:
    """Use the proxy that the environment names for the API server, if it does, where no kubeconfig names one."""
    server = urllib.parse.urlsplit(configuration.host)
    if not configuration.proxy and not urllib.request.proxy_bypass(server.hostname or ""):
        configuration.proxy = urllib.request.getproxies().get(server.scheme)


def _from_service_account() -> Access:
    configuration = Configuration()
    try:
        kube_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # typed in part only
    except (kube_config.ConfigException, OSError) as error:
        raise NoAccessError(f"the pod's service account cannot be used: {error}") from None
    return Access(configuration, "the pod's service account")


async def _from_file(path: str) -> Access:
    configuration = Configuration()
    await _load(path, configuration)
    if not configuration.host.startswith(("http://", "https://")):
        raise NoAccessError(f"the kubeconfig {path} names no server")
    configuration.refresh_api_key_hook = _rereading(path, time.monotonic)  # type: ignore[assignment]  # declared as None
    return Access(configuration, f"the kubeconfig {path}")


def _rereading(path: str, clock: Callable[[], float]) -> object:
    """Return a hook, called before each request that carries a token, that reads the file again now and then."""
    read_at = clock()

    async def hook(configuration: Configuration) -> None:
        nonlocal read_at
        if clock() - read_at >= REREAD_SECONDS:
            read_at = clock()
            await _load(path, configuration)

    return hook


async def _load(path: str, configuration: Configuration) -> None:
    try:
        await kube_config.load_kube_config(  # type: ignore[no-untyped-call]  # typed in part only
            config_file=path, client_configuration=configuration, persist_config=False
        )
    except Exception as error:  # noqa: BLE001 - the client meets a file of another form with whichever error comes first
        words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise NoAccessError(f"the kubeconfig {path} cannot be used: {words}") from None
