"""Finds the API server and the credentials for it, and keeps these fresh: a kubeconfig or a pod's service account.

A kubeconfig named by KUBECONFIG wins, as an explicit setting; then the service account; then ~/.kube/config.
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
_NAMESPACE_FILE: Final = _TOKEN_FILE.with_name("namespace")
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

    def __init__(self, configuration: Configuration, source: str, namespace: str = "") -> None:
        self.configuration = configuration
        self.source = source
        """Where it was found, for people."""
        self.namespace = namespace or "default"
        """The namespace that is meant where none is named."""

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


async def find(kubeconfig: str = "", context: str = "") -> Access:
    """Return the way to the API server.

    Args:
        kubeconfig: the file to take; empty: as this module's docstring says.
        context: the context of a kubeconfig; empty: its current one.

    Raises:
        NoAccessError: if there is none.
    """
    access = await _found(kubeconfig, context)
    _send_by_proxy(access.configuration)
    return access


async def _found(kubeconfig: str, context: str) -> Access:
    named = kubeconfig or os.environ.get("KUBECONFIG", "")
    if named:
        return await _from_file(named, context)
    if os.environ.get("KUBERNETES_SERVICE_HOST") and _TOKEN_FILE.exists():
        return _from_service_account()
    if _HOME_FILE.expanduser().exists():
        return await _from_file(str(_HOME_FILE.expanduser()), context)
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
        namespace = _NAMESPACE_FILE.read_text(encoding="utf-8").strip() if _NAMESPACE_FILE.exists() else ""
    except (kube_config.ConfigException, OSError) as error:
        raise NoAccessError(f"the pod's service account cannot be used: {error}") from None
    return Access(configuration, "the pod's service account", namespace)


async def _from_file(path: str, context: str) -> Access:
    configuration = Configuration()
    namespace = await _load(path, context, configuration)
    if not configuration.host.startswith(("http://", "https://")):
        raise NoAccessError(f"the kubeconfig {path} names no server")
    configuration.refresh_api_key_hook = _rereading(path, context, time.monotonic)  # type: ignore[assignment]  # declared as None
    return Access(configuration, f"the kubeconfig {path}", namespace)


def _rereading(path: str, context: str, clock: Callable[[], float]) -> object:
    """Return a hook, called before each request that carries a token, that reads the file again now and then."""
    read_at = clock()

    async def hook(configuration: Configuration) -> None:
        nonlocal read_at
        if clock() - read_at >= REREAD_SECONDS:
            read_at = clock()
            await _load(path, context, configuration)

    return hook


async def _load(path: str, context: str, configuration: Configuration) -> str:
    """Take what the file says into *configuration*, and return the namespace that it names."""
    try:
        loader = await kube_config.load_kube_config(  # type: ignore[no-untyped-call]  # typed in part only
            config_file=path, context=context or None, client_configuration=configuration, persist_config=False
        )
        return str(loader.current_context["context"].get("namespace") or "")
    except Exception as error:  # noqa: BLE001 - the client meets a file of another form with whichever error comes first
        words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise NoAccessError(f"the kubeconfig {path} cannot be used: {words}") from None
