"""The operator's own settings, from environment variables. Owns their names, defaults and units."""

import difflib
import json
import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import pydantic
import pydantic_settings

PREFIX: Final = "HEADGATE_"

_SERVICE_LINK: Final = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_[0-9]+_.*)?)$")
"""What Kubernetes puts into the environment of pods beside a Service called headgate: none of ours."""


class InvalidSettingsError(Exception):
    """The environment holds a value that cannot be used; the message is one line and names the variable."""


def _split(value: Any) -> Any:
    """Let a list be written with commas or as JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return tuple(part.strip() for part in value.split(",") if part.strip())


Names = Annotated[tuple[str, ...], pydantic_settings.NoDecode, pydantic.BeforeValidator(_split)]
"""A list of words, written `one,two` or `["one", "two"]`."""


class Settings(pydantic_settings.BaseSettings):
    """All that can be set. The variable is the field's name in capitals behind `HEADGATE_`."""

    model_config = pydantic_settings.SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True
    )

    prometheus_address: str = pydantic.Field(
        default="", pattern=r"^(https?://[^\s]+)?$", description="URL of the Prometheus server. Empty: none."
    )
    prometheus_allowed_addresses: Names = pydantic.Field(
        default=(), description="Further URLs that a Rollout may name as its Prometheus server, as a comma list."
    )
    prometheus_bearer_token_file: str = pydantic.Field(
        default="", description="Path of the file with the bearer token for Prometheus. Read anew for every query."
    )
    prometheus_username_file: str = pydantic.Field(
        default="", description="Path of the file with the user name for Prometheus."
    )
    prometheus_password_file: str = pydantic.Field(
        default="", description="Path of the file with the password for Prometheus."
    )
    prometheus_headers_file: str = pydantic.Field(
        default="",
        description="Path of the file with further headers for Prometheus, one `Name: value` on a line, which may be "
        "secrets. Read anew for every query.",
    )
    prometheus_namespace_header: str = pydantic.Field(
        default="",
        description="The header that every query gets with the Rollout's namespace in it, like X-Scope-OrgID. Empty: "
        "none.",
    )
    prometheus_namespace_parameter: str = pydantic.Field(
        default="",
        description="The query parameter that every query gets with the Rollout's namespace in it, like namespace for "
        "prom-label-proxy. Empty: none. Without this and the header, who can write Rollouts in any namespace reads all "
        "of that Prometheus.",
    )
    prometheus_ca_file: str = pydantic.Field(
        default="", description="Path of the certificate authorities to trust for Prometheus. Empty: the system's."
    )
    prometheus_timeout_seconds: float = pydantic.Field(
        default=5.0, gt=0, le=60, description="How long a query may take, in seconds."
    )
    scrape_interval_seconds: float = pydantic.Field(
        default=15.0,
        ge=0,
        le=600,
        description="How often Prometheus scrapes, in seconds. A measurement is read once it is this and 5 s old.",
    )
    metric_interval_seconds_min: float = pydantic.Field(
        default=1.0,
        ge=1,
        le=60,
        description="How often one query is asked at most, in seconds. A metric with a smaller interval gets several "
        "of its ticks with one query; none is left out.",
    )
    metrics_per_namespace_max: int = pydantic.Field(
        default=1000,
        ge=1,
        le=100_000,
        description="How many metrics of a namespace are measured at a time. One beyond is an Error that says so, and "
        "holds.",
    )
    namespaces: Names = pydantic.Field(
        default=(), description="The namespaces to serve, as a comma list. Empty: all of them."
    )
    workers: int = pydantic.Field(default=8, ge=1, le=256, description="How many Rollouts are looked at at a time.")
    resync_seconds: float = pydantic.Field(
        default=600.0, ge=10, le=86_400, description="How often all Rollouts are listed and looked at, in seconds."
    )
    request_timeout_seconds: float = pydantic.Field(
        default=10.0, gt=0, le=60, description="How long a call to the Kubernetes API may take, in seconds."
    )
    log_format: Literal["human", "json"] = pydantic.Field(
        default="human", description="How log lines are written: human or json."
    )
    log_level: Literal["debug", "info", "warning", "error"] = pydantic.Field(
        default="info", description="The least important log lines to write: debug, info, warning or error."
    )
    listen_address: str = pydantic.Field(
        default="127.0.0.1", min_length=1, description="The address that serves /metrics, /healthz and /readyz."
    )
    listen_port: int = pydantic.Field(
        default=8080, ge=0, le=65_535, description="The port of that address. 0: any free one, named in the log."
    )
    shutdown_seconds: float = pydantic.Field(
        default=3.0, ge=0, le=30, description="How long passes may go on after SIGTERM, in seconds."
    )

    @property
    def settle_seconds(self) -> float:
        """How old a measurement must be before all of its samples have been scraped and can be queried."""
        return self.scrape_interval_seconds + 5.0


def variable(field: str) -> str:
    """Return the name of the environment variable that sets *field*."""
    return PREFIX + field.upper()


def load() -> Settings:
    """Return the settings that the environment holds.

    Raises:
        InvalidSettingsError: for the first value that cannot be used.
    """
    try:
        return Settings()
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        raise InvalidSettingsError(f"{variable(field)}={first['input']!r}: {first['msg']}") from None
    except pydantic_settings.SettingsError as error:
        raise InvalidSettingsError(str(error)) from None


def unknown(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that start like ours and are none, each with the nearest name that would be one."""
    known = {variable(field) for field in Settings.model_fields}
    return {
        name: (difflib.get_close_matches(name, known, n=1) or [""])[0]
        for name in environment
        if name.startswith(PREFIX) and name not in known and not _SERVICE_LINK.search(name)
    }


def describe() -> str:
    """Return a paragraph per variable: its name, default and meaning."""
    lines: list[str] = []
    for name, field in Settings.model_fields.items():
        default = "empty" if field.default in ("", ()) else field.default
        lines.append(f"  {variable(name)} (default: {default})\n      {field.description}")
    return "\n".join(lines)
