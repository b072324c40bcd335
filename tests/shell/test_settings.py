"""Settings come from the environment, and a wrong one is told in one line that names it."""

import subprocess
import sys

import pytest

from headgate import settings


def test_defaults_need_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any variable Headgate can start."""
    for field in settings.Settings.model_fields:
        monkeypatch.delenv(settings.variable(field), raising=False)

    assert settings.load().workers == 8
    assert settings.load().settle_seconds == 20


@pytest.mark.parametrize("text", ["one,two", "one , two", '["one", "two"]'])
def test_lists_are_written_with_commas_or_as_json(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A list is what people write as one."""
    monkeypatch.setenv("HEADGATE_NAMESPACES", text)

    assert settings.load().namespaces == ("one", "two")


def test_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chart that leaves a value empty leaves the default."""
    monkeypatch.setenv("HEADGATE_WORKERS", "")

    assert settings.load().workers == 8


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HEADGATE_WORKERS", "many"),
        ("HEADGATE_WORKERS", "0"),
        ("HEADGATE_LOG_FORMAT", "xml"),
        ("HEADGATE_LISTEN_PORT", "70000"),
        ("HEADGATE_PROMETHEUS_ADDRESS", "prometheus:9090"),
        ("HEADGATE_NAMESPACES", '["one"'),
    ],
)
def test_wrong_value_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """A value that cannot be used is told with the variable's name, in one line."""
    monkeypatch.setenv(name, text)
    with pytest.raises(settings.InvalidSettingsError) as error:
        settings.load()

    assert str(error.value).startswith(f"{name}=")
    assert "\n" not in str(error.value)


def test_misspelt_variable_is_noticed() -> None:
    """A variable that starts like ours and is none is named with the one that it may be; Kubernetes' own are not."""
    environment = {
        "HEADGATE_PROMETHEUS_ADRESS": "x",
        "HEADGATE_PORT": "tcp://10.0.0.1:80",
        "HEADGATE_PORT_80_TCP_ADDR": "10.0.0.1",
        "HEADGATE_SERVICE_HOST": "10.0.0.1",
        "HEADGATE_SERVICE_PORT_HTTP": "80",
        "HEADGATE_WORKERS": "1",
        "PATH": "/bin",
    }

    assert settings.unknown(environment) == {"HEADGATE_PROMETHEUS_ADRESS": "HEADGATE_PROMETHEUS_ADDRESS"}


def test_every_setting_is_described() -> None:
    """Each variable is listed with its meaning."""
    text = settings.describe()
    for name, field in settings.Settings.model_fields.items():
        assert settings.variable(name) in text
        assert field.description


def test_operator_ends_with_2() -> None:
    """The process says what is wrong in one line, and ends with 2."""
    ended = subprocess.run(
        [sys.executable, "-m", "headgate"],
        env={"HEADGATE_WORKERS": "many", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "HEADGATE_WORKERS='many'" in ended.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HEADGATE_PROMETHEUS_NAMESPACE_HEADER", "X-Scope: a"),
        ("HEADGATE_PROMETHEUS_NAMESPACE_HEADER", "Authorization"),
        ("HEADGATE_PROMETHEUS_NAMESPACE_PARAMETER", "query"),
        ("HEADGATE_METRIC_INTERVAL_SECONDS_MIN", "0.5"),
        ("HEADGATE_METRICS_PER_NAMESPACE_MAX", "0"),
    ],
)
def test_wrong_settings_of_metrics_end_with_2(name: str, text: str) -> None:
    """A name or a number by which namespaces could not be kept apart is told before anything is asked."""
    ended = subprocess.run(
        [sys.executable, "-m", "headgate"],
        env={name: text, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("headgate: HEADGATE_")


def test_contradicting_settings_end_with_2() -> None:
    """Settings that are each right and together wrong are told in one line, too."""
    ended = subprocess.run(
        [sys.executable, "-m", "headgate"],
        env={"HEADGATE_PROMETHEUS_USERNAME_FILE": "/nowhere", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "HEADGATE_PROMETHEUS" in ended.stderr


def test_no_cluster_is_one_line() -> None:
    """Without kubeconfig and service account the process says so in one line, and ends with 1."""
    ended = subprocess.run(
        [sys.executable, "-m", "headgate"],
        env={"HOME": "/nonexistent", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "KUBECONFIG" in ended.stderr
