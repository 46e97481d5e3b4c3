from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tenantrank.errors import InputError
from tenantrank.gateway.settings import Settings, address_of, check_settings, is_loopback, load_settings, settings_of

DIGEST = "ab" * 32
CANARY = "sk-canary-61f0a2"
LOCAL: dict[str, Any] = {"server": {"without_keys": True}}


def keyed(**more: Any) -> dict[str, Any]:
    return {"keys": [{"name": "backend", "sha256": DIGEST}], **more}


def refused(value: Any) -> str:
    with pytest.raises(InputError) as caught:
        settings_of(value, "gateway.yaml")
    return str(caught.value)


def test_load_settings__yaml_and_json_mean_the_same(tmp_path: Path) -> None:
    yaml, plain = tmp_path / "gateway.yaml", tmp_path / "gateway.json"
    yaml.write_text(
        "server: {listen: '127.0.0.1:9000'}\n"
        "catalog: {as_of: '2026-03-01', keep: 0.2}\n"
        f"keys: [{{name: backend, sha256: {DIGEST}}}]\n"
        "limits: {attempts: 3}\n"
    )
    plain.write_text(
        json.dumps(
            keyed(
                server={"listen": "127.0.0.1:9000"},
                catalog={"as_of": "2026-03-01", "keep": 0.2},
                limits={"attempts": 3},
            )
        )
    )

    found = load_settings(yaml)

    assert found == load_settings(plain)
    assert found.server.listen == "127.0.0.1:9000"
    assert found.limits.attempts == 3
    assert found.catalog.as_of is not None


def test_load_settings__without_keys_only_where_that_is_said_and_from_this_machine(tmp_path: Path) -> None:
    empty = tmp_path / "gateway.yaml"
    empty.write_text("")

    with pytest.raises(InputError, match="without keys anybody is let in"):
        load_settings(empty)
    for host in ("0.0.0.0", "10.0.0.1", "[::]", "example.com", "127.0.0.1.example.com"):
        server = {"without_keys": True, "listen": f"{host}:8080"}
        assert "without keys anybody is let in" in refused({"server": server})
    for host in ("127.0.0.1", "127.8.0.1", "localhost", "[::1]"):
        assert not settings_of({"server": {"without_keys": True, "listen": f"{host}:8080"}}).keys


def test_settings_of__keys_and_without_keys_contradict_each_other() -> None:
    assert "server.without_keys" in refused(keyed(server={"without_keys": True}))


def test_settings_of__an_operators_listener_beyond_this_machine_needs_its_key() -> None:
    beyond = {"operator_listen": "0.0.0.0:8081"}

    assert "server.operator_key" in refused(keyed(server=beyond))
    assert settings_of(keyed(server={**beyond, "operator_key": "os.environ/OPERATOR"})).keys


def test_settings_of__certificate_and_its_key_go_together() -> None:
    for server in ({"tls_certificate": "a.pem"}, {"tls_key": "a.key"}):
        assert "go together" in refused(keyed(server=server))


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"server": {"lisen": "127.0.0.1:1"}}, "server.lisen: unknown key"),
        ({"servers": {}}, "servers: unknown key"),
        ({"limits": {"attempts": 0}}, "limits.attempts"),
        ({"limits": {"total_s": float("inf")}}, "limits.total_s"),
        ({"catalog": {"keep": 1.5}}, "catalog.keep"),
        ({"catalog": {"as_of": "yesterday"}}, "catalog.as_of"),
        ({"telemetry": {"log": "file"}}, "telemetry.log"),
        ({"keys": [{"name": "a b", "sha256": DIGEST}]}, "keys.0.name"),
        ({"keys": [{"name": "a", "sha256": DIGEST, "ways": ["magic"]}]}, "keys.0.ways"),
        ({"providers": {"openai": {"api_key": CANARY}}}, "providers.openai.api_key: unknown key"),
        ({"server": {"listen": "127.0.0.1"}, **keyed()}, "is not an address"),
        ({"server": {"listen": "127.0.0.1:70000"}, **keyed()}, "is not an address"),
        ({"server": {"listen": "http://127.0.0.1:80"}, **keyed()}, "is not an address"),
        ([], "expected a record"),
    ],
)
def test_settings_of__a_fault_is_told_with_its_place(value: Any, place: str) -> None:
    assert place in refused(value)


def test_settings_of__every_fault_has_a_line() -> None:
    lines = refused({"server": {"a": 1}, "limits": {"b": 2}}).splitlines()

    assert [line.strip().removeprefix("gateway.yaml: ") for line in lines] == [
        "server.a: unknown key",
        "limits.b: unknown key",
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"server": {"operator_key": [CANARY]}},
        {"server": {"connections": CANARY}},
        {"providers": {"openai": {"key": {"value": CANARY}}}},
        {"providers": {"openai": {"endpoints": CANARY}}},
        {"keys": [{"name": "a", "sha256": CANARY}]},
        {"keys": [{"name": CANARY + "!", "sha256": DIGEST}]},
        {"keys": CANARY},
        {"telemetry": {"log": CANARY}},
        {"catalog": {"as_of": CANARY}},
    ],
)
def test_settings_of__no_message_shows_a_value(value: Any) -> None:
    assert CANARY not in refused(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gateway.yaml", f"providers:\n  openai:\n   key: {CANARY}\n  bad indent: [\n"),
        ("gateway.yaml", f"a: '{CANARY}\n"),
        ("gateway.yaml", f"a: &x {CANARY}\nb: *x\n"),
        ("gateway.json", f'{{"key": "{CANARY}", }}'),
        ("gateway.json", f'{{"key": "{CANARY}"'),
    ],
)
def test_load_settings__what_cannot_be_read_is_told_in_a_line_without_what_it_says(
    tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(InputError) as caught:
        load_settings(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert CANARY not in str(caught.value)


def test_load_settings__a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gateway\.yaml: No such file"):
        load_settings(tmp_path / "gateway.yaml")


def test_settings__a_repr_shows_no_reference_that_may_be_a_key() -> None:
    settings = settings_of(keyed(server={"operator_key": CANARY}, providers={"openai": {"key": CANARY}}))

    assert CANARY not in repr(settings)


def test_check_settings__another_address_is_judged_anew() -> None:
    settings = settings_of(LOCAL)
    moved = settings.model_copy(update={"server": settings.server.model_copy(update={"listen": "0.0.0.0:8080"})})

    with pytest.raises(InputError, match="without keys"):
        check_settings(moved)


def test_address_of__host_and_port() -> None:
    assert address_of("127.0.0.1:0") == ("127.0.0.1", 0)
    assert address_of("[::1]:8080") == ("::1", 8080)
    assert address_of("gateway.example:65535") == ("gateway.example", 65535)
    for wrong in ("", ":80", "::1:80", "[::1]", "a b:80", "a:-1", "a:80/", "a:65536", "a:80\n"):
        with pytest.raises(InputError, match="not an address"):
            address_of(wrong)


def test_is_loopback__only_what_is_this_machine_for_certain() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.255.255.254", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.1", "localhost.example.com", "")))


def test_settings__defaults_are_what_the_page_says() -> None:
    assert Settings().server.listen == "127.0.0.1:8080"
    assert Settings().server.operator_listen == "127.0.0.1:8081"
    assert (Settings().catalog.keep, Settings().watch_s, Settings().traces) == (0.5, 2.0, 2000)
