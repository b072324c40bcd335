"""Which servers may be asked."""

from pathlib import Path

import pytest

from headgate.adapters.metrics.settings import NotAllowed, ServerSettings, canonical

SETTINGS = ServerSettings(
    address="http://prometheus.monitoring:9090/", allowed_addresses=("https://thanos.example.com/team-a",)
)


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("http://prometheus:9090", "http://prometheus:9090"),
        ("HTTP://Prometheus:80/", "http://prometheus"),
        ("https://prometheus:443/a/b//", "https://prometheus/a/b"),
        ("http://[::1]:9090", "http://[::1]:9090"),
        (" http://10.0.0.1 ", "http://10.0.0.1"),
    ],
)
def test_an_address_has_one_form(address: str, written: str) -> None:
    """What means the same server is written the same way."""
    assert canonical(address) == written


@pytest.mark.parametrize(
    "address",
    [
        "",
        "prometheus:9090",
        "ftp://prometheus",
        "file:///etc/passwd",
        "http://user:hunter2@prometheus",
        "http://prometheus\\@evil",
        "http://prometheus#@evil",
        "http://prometheus?x=hunter2",
        "http://prometheus /",
        "http://prometheus\n.evil",
        "http://prométheus",
        "http://%70rometheus",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(address: str) -> None:
    """Users, queries and fragments have no place in an address, and a password in it is not repeated."""
    with pytest.raises(ValueError, match="not an address") as refused:
        canonical(address)

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("wanted", "address"),
    [
        (None, "http://prometheus.monitoring:9090"),
        ("", "http://prometheus.monitoring:9090"),
        ("http://prometheus.monitoring:9090", "http://prometheus.monitoring:9090"),
        ("https://thanos.example.com:443/team-a/", "https://thanos.example.com/team-a"),
    ],
)
def test_the_default_and_allowed_addresses_are_asked(wanted: str | None, address: str) -> None:
    """A metric is read from the operator's own server, or from an allowed one."""
    assert SETTINGS.resolve(wanted) == address


@pytest.mark.parametrize(
    "wanted",
    [
        "http://prometheus.monitoring:9091",
        "https://prometheus.monitoring:9090",
        "https://thanos.example.com/team-b",
        "https://thanos.example.com/team-a/../team-b",
        "https://thanos.example.com/team-abc",
        "https://thanos.example.com.evil/team-a",
        "http://169.254.169.254/latest",
        "http://user:hunter2@prometheus.monitoring:9090",
    ],
)
def test_no_other_address_is_asked(wanted: str) -> None:
    """An address is compared whole: neither a prefix nor a suffix lets another server in."""
    with pytest.raises(NotAllowed) as refused:
        SETTINGS.resolve(wanted)

    assert "hunter2" not in str(refused.value)


def test_without_a_default_every_metric_names_a_server() -> None:
    """Where the operator has no server of its own, that is said."""
    with pytest.raises(NotAllowed, match="no Prometheus address of its own"):
        ServerSettings().resolve(None)


def test_only_the_default_address_is_trusted_with_credentials() -> None:
    """Whoever can write a Rollout can name an allowed server, and must not get the operator's token by it."""
    assert SETTINGS.trusts("http://prometheus.monitoring:9090")
    assert not SETTINGS.trusts("https://thanos.example.com/team-a")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"username_file": Path("u")}, "together"),
        ({"password_file": Path("p")}, "together"),
        ({"bearer_token_file": Path("t"), "username_file": Path("u"), "password_file": Path("p")}, "not both"),
    ],
)
def test_contradicting_credentials_are_refused(files: dict[str, Path], why: str) -> None:
    """Half a pair, or two ways to say who we are, is a mistake of whoever installs the operator."""
    with pytest.raises(ValueError, match=why):
        ServerSettings(**files)  # type: ignore[arg-type]  # a subset of the fields
