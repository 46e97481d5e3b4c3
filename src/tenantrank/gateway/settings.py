"""The gateway's configuration file: what it may say, checked before anything is started."""

from __future__ import annotations

import ipaddress
import re
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenantrank.errors import InputError
from tenantrank.gateway.auth import KeySettings
from tenantrank.gateway.breakers import BreakerSettings
from tenantrank.gateway.durable import TraceSettings
from tenantrank.gateway.limits import LimitSettings
from tenantrank.gateway.live import LiveSettings
from tenantrank.gateway.providers import ProviderSettings
from tenantrank.policy import strict_json, strict_yaml

_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")


class _Settings(BaseModel):
    # A value out of place may be a key, so that messages never show one.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class ServerSettings(_Settings):
    """Section ``server``: where it listens, and how."""

    listen: str = Field(default="127.0.0.1:8080", description="host and port for clients")
    operator_listen: str = Field(
        default="127.0.0.1:8081", description="host and port for operators: metrics, health, reload"
    )
    operator_key: str | None = Field(
        default=None,
        repr=False,
        description="reference to the key of the operator's listener; needed beyond this machine",
    )
    without_keys: bool = Field(
        default=False,
        description="let anybody in who reaches a listener on this machine; needed where no keys are given",
    )
    connections: int = Field(
        default=1000, ge=1, le=1_000_000, description="clients' connections at once; beyond it 503"
    )
    body_s: float = Field(default=30.0, gt=0, le=3600, description="longest time for a request to arrive, in seconds")
    drain_s: float = Field(
        default=30.0, ge=0, le=3600, description="how long requests under way may go on after a stop"
    )
    tls_certificate: str | None = Field(
        default=None, description="file of a certificate chain; TLS for clients with it"
    )
    tls_key: str | None = Field(default=None, description="file of its key")


class CatalogSettings(_Settings):
    """Section ``catalog``: the offers there are."""

    file: str | None = Field(default=None, description="a catalog file; the bundled snapshot unless given")
    overlay: str | None = Field(default=None, description="the operator's attestations")
    offers: list[dict[str, Any]] = Field(default=[], description="the operator's own offers, as records")
    as_of: date | None = Field(default=None, description="the day to judge by; today unless given")
    keep: float = Field(
        default=0.5, ge=0, le=1, description="a reload that leaves less than this share of reachable offers is refused"
    )


class UpstreamSettings(_Settings):
    """Section ``upstream``: the client that calls providers."""

    proxy: str | None = Field(default=None, repr=False, description="address of an HTTP proxy for all calls")
    trust_env: bool = Field(default=False, description="whether the environment's proxy variables and netrc count")
    connections: int = Field(default=4096, ge=1, description="most connections to providers at once")
    connections_per_host: int = Field(default=0, ge=0, description="the same to one host; 0 for no limit")


class TelemetrySettings(_Settings):
    """Section ``telemetry``: what is told to whom."""

    log: Literal["stderr", "stdout", "none"] = Field(default="stderr", description="where the log's lines go")
    otlp: str | None = Field(
        default=None, repr=False, description="address of an OpenTelemetry collector (HTTP) for spans"
    )
    trust_traceparent: bool = Field(default=False, description="whether a client's trace context is taken up")


class Settings(_Settings):
    """The whole file."""

    server: ServerSettings = ServerSettings()
    catalog: CatalogSettings = CatalogSettings()
    rulebook: str | None = Field(default=None, description="the rules that tenants' states are compiled with")
    tenants: str | None = Field(default=None, description="a table of the tenants that the server knows")
    envelope: list[Any] | None = Field(default=None, description="the operator's Pred, and-ed onto every rule")
    default: list[Any] | None = Field(
        default=None, description="the policy that decides where a request says nothing and its key allows that"
    )
    providers: dict[str, ProviderSettings] = Field(default={}, description="the accounts, by the catalog's provider_id")
    keys: list[KeySettings] = Field(default=[], description="who may call")
    limits: LimitSettings = LimitSettings()
    breakers: BreakerSettings = BreakerSettings()
    live: LiveSettings = LiveSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    trace: TraceSettings | None = Field(default=None, description="the durable trace; none unless given")
    traces: int = Field(
        default=2000, ge=0, le=1_000_000, description="how many of the latest requests can be looked up"
    )
    watch_s: float = Field(
        default=2.0, ge=0, le=3600, description="how often files are looked at for changes; 0: never"
    )


def load_settings(path: Path) -> Settings:
    """Read a configuration file: JSON where it ends in ``.json``, else YAML.

    Raises
    ------
    InputError
        one line a fault, with its place; no value is repeated, since one may be a key
    """
    try:
        text = path.read_bytes()
        value = strict_json.loads(text) if path.suffix == ".json" else strict_yaml.loads(text)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    return settings_of({} if value is None else value, str(path))


def settings_of(value: Any, source: str = "settings") -> Settings:
    """Check a configuration given as a JSON value; errors as `load_settings`."""
    if not isinstance(value, dict):
        raise InputError(f"{source}: expected a record of sections")
    try:
        settings = Settings.model_validate(value)
    except ValidationError as error:
        faults = []
        for fault in error.errors(include_url=False, include_input=False, include_context=False):
            place = ".".join(map(str, fault["loc"]))
            message = fault["msg"].removeprefix("Value error, ")
            if fault["type"] == "extra_forbidden":
                message = "unknown key"
            faults.append(f"{place}: {message}" if place else message)
        raise InputError("\n  ".join([f"{source}: {faults[0]}", *faults[1:]])) from None
    check_settings(settings, source)
    return settings


def address_of(listen: str) -> tuple[str, int]:
    """Take an address apart into host and port.

    Raises
    ------
    InputError
        for anything but ``host:port``
    """
    form = _LISTEN.fullmatch(listen)
    if form is None or int(form[2]) > 65535:
        raise InputError(f"{listen[:80]!r} is not an address to listen at, as 127.0.0.1:8080")
    return form[1].strip("[]"), int(form[2])


def is_loopback(host: str) -> bool:
    """Say whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_settings(settings: Settings, source: str = "settings") -> None:
    """Refuse what no single section shows: chiefly a listener that lets in whoever reaches it.

    Raises
    ------
    InputError
        as `load_settings`
    """
    server = settings.server
    host, operator = address_of(server.listen)[0], address_of(server.operator_listen)[0]
    if not settings.keys and not (server.without_keys and is_loopback(host)):
        raise InputError(
            f"{source}: keys: without keys anybody is let in: add a key (tenantrank key NAME), or say "
            "server.without_keys: true and listen on this machine alone"
        )
    if settings.keys and server.without_keys:
        raise InputError(f"{source}: server.without_keys: there are keys; it would let in whoever has none")
    if server.operator_key is None and not is_loopback(operator):
        raise InputError(f"{source}: server.operator_listen: beyond this machine it needs server.operator_key")
    if (server.tls_certificate is None) != (server.tls_key is None):
        raise InputError(f"{source}: server: tls_certificate and tls_key go together")
