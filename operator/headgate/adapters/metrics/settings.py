"""Which servers may be asked, how, and with what. Owns the form of an address; opens no file and no connection."""

import dataclasses
import re
from pathlib import Path
from typing import Final

# Nothing but what is compared and connected to: no user, no query, no percent escapes in the host.
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9]([-.a-z0-9]*[a-z0-9])?|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(/[-.~_a-zA-Z0-9%]*)*)"
)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_HEADER: Final = re.compile(r"[A-Za-z0-9][-_A-Za-z0-9]{0,99}")
_PARAMETER: Final = re.compile(r"[A-Za-z_][-_.A-Za-z0-9]{0,99}(\[\])?")
AUTHORIZATION: Final = "authorization"
RESERVED_HEADERS: Final = frozenset(
    {
        *("accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "cookie"),
        *("expect", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "user-agent"),
    }
)
"""Headers by which the client and the server understand each other."""
_RESERVED_PARAMETERS: Final = frozenset(["query", "start", "end", "step", "timeout", "time"])


class NotAllowed(ValueError):
    """The address that a Rollout names is none that the operator may ask; the message says why, for users."""


def canonical(address: str) -> str:
    """Return the one way in which *address* is written: lower-case host, no default port, no slash at the end.

    Raises:
        ValueError: if it is not an http or https URL, or holds a user, a query or a fragment. The message does not
            repeat the address, which may hold a password.
    """
    scheme, mark, rest = address.strip().partition("://")
    host, slash, path = rest.partition("/")
    found = _ADDRESS.fullmatch(f"{scheme.lower()}{mark}{host.lower()}{slash}{path}")
    if found is None:
        raise ValueError("not an address of a server: write for example http://prometheus.monitoring:9090")
    port = found["port"]
    suffix = "" if port is None or port == _DEFAULT_PORTS[found["scheme"]] else f":{port}"
    return f"{found['scheme']}://{found['host']}{suffix}{found['path'].rstrip('/')}"


def is_header(name: str) -> bool:
    """Return whether *name* can be the name of a header."""
    return _HEADER.fullmatch(name) is not None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The operator's own Prometheus server, and which others a Rollout may name.

    Credentials are sent to the default address alone: an allowed address may be *asked* by every user who can write a
    Rollout, and must not be a way to get hold of the operator's token. The CA is no secret and counts for all,
    and so does the namespace: no address is a way around it.
    """

    address: str = ""
    """The server of every metric that names none; empty: every metric must name one."""
    allowed_addresses: tuple[str, ...] = ()
    """Servers that a Rollout may name. Compared whole, never by prefix or pattern."""
    bearer_token_file: Path | None = None
    """Read at each request, so that a token that is rotated is used at once."""
    username_file: Path | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    """In place of the system's certificate authorities."""
    headers_file: Path | None = None
    """Further headers for the default address, which may be secrets. Read at each request."""
    namespace_header: str = ""
    """The header that is filled with the Rollout's namespace, such as X-Scope-OrgID; empty: none."""
    namespace_parameter: str = ""
    """The query parameter that is filled with it, as prom-label-proxy takes it; empty: none."""
    connect_timeout_seconds: float = 2.0
    """How long it may take until the connection stands: the look-up of the name, all addresses, and TLS."""
    timeout_seconds: float = 5.0
    """How long an answer may take once the connection stands, from the question's first byte to the answer's last."""
    workers_per_server: int = 8
    """How many queries a server is asked at a time; its own default limit is 20."""
    answer_bytes_max: int = 262_144
    """One series of 300 ticks takes 10 kB: more is a query that does not give one value. Parsed, it takes 20 times as
    much memory, for each query that is answered at the same time."""
    retry_seconds_max: float = 10.0
    """After a problem a query is tried again at its interval, or after this time where that is sooner."""
    backoff_seconds_max: float = 30.0
    """That time doubles with each further problem or slow answer, up to this. One quick answer ends it."""
    interval_seconds_min: float = 1.0
    """No query is asked more often; a metric with a smaller interval gets several ticks with one query."""
    metrics_per_namespace_max: int = 1000
    """So many metrics of a namespace are measured at a time; what lies beyond is said to be an error."""

    def __post_init__(self) -> None:
        """Bring the addresses into their one form and refuse credentials that contradict each other."""
        if self.address:
            object.__setattr__(self, "address", canonical(self.address))
        object.__setattr__(self, "allowed_addresses", tuple(canonical(address) for address in self.allowed_addresses))
        if (self.username_file is None) != (self.password_file is None):
            raise ValueError("a user name and a password are given together or not at all")
        if self.bearer_token_file is not None and self.username_file is not None:
            raise ValueError("give a bearer token or a user name and password, not both")
        header, parameter = self.namespace_header, self.namespace_parameter
        if header and (not is_header(header) or header.lower() in {AUTHORIZATION, *RESERVED_HEADERS}):
            raise ValueError(
                f"{header!r} is no header that can be filled with the namespace: X-Scope-OrgID would be one"
            )
        if parameter and (not _PARAMETER.fullmatch(parameter) or parameter in _RESERVED_PARAMETERS):
            raise ValueError(
                f"{parameter!r} is no query parameter that can be filled with the namespace: namespace is one"
            )

    @property
    def slow_seconds(self) -> float:
        """From which time on a query is slow: half of what it may take."""
        return self.timeout_seconds / 2

    def interval_words(self) -> str:
        """Return what is said of a metric whose interval is smaller than the least one."""
        return (
            f"asked for every {self.interval_seconds_min:g} s, the least interval that the operator allows "
            "(HEADGATE_METRIC_INTERVAL_SECONDS_MIN)"
        )

    def resolve(self, wanted: str | None) -> str:
        """Return the address to ask for a metric that names *wanted*, or none.

        Raises:
            NotAllowed: if the operator may not ask it.
        """
        if not wanted:
            if not self.address:
                raise NotAllowed("the operator has no Prometheus address of its own: name one that it allows")
            return self.address
        try:
            address = canonical(wanted)
        except ValueError as error:
            raise NotAllowed(f"prometheus.address is {error}") from None
        if address != self.address and address not in self.allowed_addresses:
            raise NotAllowed(f"prometheus.address {address} is not one that the operator allows")
        return address

    def trusts(self, address: str) -> bool:
        """Return whether credentials may be sent to *address*."""
        return address == self.address
