from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

import tenantrank as tr
from tenantrank.catalog.health import Health
from tenantrank.errors import TenantrankError
from tenantrank.gateway.generation import ANYBODY, Generation, make_generation
from tenantrank.gateway.settings import settings_of
from tests.gateway.worlds import ENVIRON, OFFERS, file_of, key_entry, only, write_catalog, write_files

TODAY = date(2026, 3, 1)
URLS = {name: f"http://127.0.0.1:9/{name}" for name in ("alpha", "beta", "gamma", "alpha_eu")}
HEALTH = Health()


def made(folder: Path, today: date = TODAY, number: int = 1, **sections: Any) -> Generation:
    if not (folder / "catalog.json").exists():
        write_files(folder)
    return make_generation(settings_of(file_of(URLS, **sections)), folder, ENVIRON, today, lambda: HEALTH, number)


def ranked(generation: Generation, route: Any = "chat", caller: Any = ANYBODY) -> tuple[str, ...]:
    engine = generation.engine_of(caller, route)
    policy = tr.admit(
        ["policy", ["top"], ["neg", ["field", "price_out"]], ["ordered"], ["id"], ["always", {"action": "abort"}]],
        generation.fields,
    )
    return engine.rank(policy).offer_ids


def refused(folder: Path, **sections: Any) -> str:
    with pytest.raises(TenantrankError) as caught:
        made(folder, **sections)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_make_generation__an_offer_is_reached_at_the_endpoint_of_its_region_alone(tmp_path: Path) -> None:
    chat = made(tmp_path).reaches["chat"]

    # There is no account with "far", and no endpoint for alpha's "us".
    assert set(chat) == {"alpha", "beta", "gamma", "eu"}
    assert chat["alpha"].endpoint.base_url == URLS["alpha"]
    assert chat["eu"].endpoint.base_url == URLS["alpha_eu"]
    assert chat["eu"].endpoint.credential == "alpha/KEY_ALPHA_EU"
    assert chat["eu"].target == ("eu", "alpha", "m-1")


def test_make_generation__a_model_goes_by_its_wire_id_or_its_family(tmp_path: Path) -> None:
    chat = made(tmp_path).reaches["chat"]

    assert chat["alpha"].wire_id == "alpha/m-1"
    assert chat["gamma"].wire_id == "m-2"


def test_make_generation__each_route_has_its_own_offers(tmp_path: Path) -> None:
    generation = made(tmp_path)

    assert set(generation.reaches["embeddings"]) == {"embed"}
    assert ranked(generation, "embeddings") == ("embed",)
    assert set(ranked(generation)) == {"alpha", "beta", "gamma", "eu"}


def test_make_generation__only_the_models_that_the_file_allows(tmp_path: Path) -> None:
    providers = file_of(URLS)["providers"]
    providers["alpha"]["models"] = ["eu/m-1"]

    assert set(made(tmp_path, providers=providers).reaches["chat"]) == {"eu", "beta", "gamma"}


def test_make_generation__times_are_the_limits_or_the_providers_own(tmp_path: Path) -> None:
    providers = file_of(URLS)["providers"]
    providers["beta"].update(first_byte_s=7.0, idle_s=3.0)
    chat = made(tmp_path, providers=providers, limits={"first_byte_s": 11, "connect_s": 2}).reaches["chat"]

    assert (chat["alpha"].timeouts.connect_s, chat["alpha"].timeouts.first_byte_s) == (2, 11)
    assert (chat["beta"].timeouts.first_byte_s, chat["beta"].timeouts.idle_s) == (7, 3)


def test_make_generation__offers_of_the_operators_own_are_there(tmp_path: Path) -> None:
    own = {"id": "own", "provider_id": "gamma", "model_family": "own-1", "price_in": 0.0, "price_out": 0.0}
    generation = made(tmp_path, catalog={"file": "catalog.json", "offers": [own]})

    assert "own" in ranked(generation)
    assert generation.reaches["chat"]["own"].wire_id == "own-1"


def test_make_generation__an_overlay_is_laid_over_and_ends_on_its_day(tmp_path: Path) -> None:
    write_files(tmp_path)
    (tmp_path / "overlay.yaml").write_text(
        "attestations:\n  - match: {provider_id: gamma}\n    set: {no_log: true}\n    contract: C-1\n"
        "    verified_at: 2026-01-01\n    valid_until: 2026-03-31\n"
    )
    generation = made(tmp_path, catalog={"file": "catalog.json", "overlay": "overlay.yaml"})
    later = made(tmp_path, date(2026, 4, 1), catalog={"file": "catalog.json", "overlay": "overlay.yaml"})

    at = generation.catalog.offer_ids.index("gamma")
    assert generation.catalog.flags("no_log")[at] == 1
    assert generation.holds_until == date(2026, 3, 31)
    assert later.catalog.flags("no_log")[at] == -1
    assert later.holds_until is None


def test_make_generation__a_provider_without_an_offer_is_warned_of(tmp_path: Path) -> None:
    providers = {
        **file_of(URLS)["providers"],
        "delta": {"kind": "openai-compatible", "base_url": "http://127.0.0.1:9", "key": "os.environ/KEY_BETA"},
    }

    assert any("delta" in warning for warning in made(tmp_path, providers=providers).warnings)
    assert not any("alpha" in warning for warning in made(tmp_path).warnings)


def test_make_generation__envelopes_of_the_operator_and_of_a_key(tmp_path: Path) -> None:
    keys = [key_entry("narrow", envelope=["not", ["provider_eq", "beta"]]), key_entry("wide", "another-key-000001")]
    generation = made(tmp_path, keys=keys, envelope=["not", ["provider_eq", "alpha"]])
    assert generation.keys is not None
    narrow, wide = generation.keys.callers

    assert ranked(generation, caller=narrow) == ("gamma",)
    assert ranked(generation, caller=wide) == ("beta", "gamma")


def test_engine_of__one_engine_for_what_is_decided_alike(tmp_path: Path) -> None:
    keys = [key_entry(name, f"{name}-key-000000001", envelope=["is", "priced"]) for name in ("one", "two")]
    generation = made(tmp_path, keys=keys)
    assert generation.keys is not None
    one, two = generation.keys.callers

    assert generation.engine_of(one, "chat") is generation.engine_of(two, "chat")
    assert generation.engine_of(ANYBODY, "chat") is not generation.engine_of(one, "chat")
    assert generation.engine_of(one, "chat", Health({"alpha|m-1": {"ema_latency_ms": 1.0}})).health.ema


def test_make_generation__tenants_and_a_default(tmp_path: Path) -> None:
    generation = made(tmp_path, rulebook="rules.yaml", tenants="tenants.csv", default=only("gamma"))

    assert set(generation.tenants) == {"acme", "frugal"}
    assert any("broken" in line for line in generation.left_out)
    assert generation.default is not None
    assert generation.rulebook is not None


def test_make_generation__without_keys_anybody_is_let_in_by_every_way(tmp_path: Path) -> None:
    caller = made(tmp_path).caller([(b"authorization", b"Bearer x")])

    assert caller is ANYBODY
    assert {"policy_ir", "tenant", "provider", "default"} == caller.ways


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"catalog": {"file": "missing.json"}}, "missing.json"),
        ({"catalog": {"file": "rules.yaml"}}, "rules.yaml"),
        ({"catalog": {"file": "catalog.json", "overlay": "missing.yaml"}}, "missing.yaml"),
        ({"catalog": {"file": "catalog.json", "offers": [{"id": "alpha"}]}}, "catalog.offers"),
        ({"catalog": {"file": "catalog.json", "offers": [OFFERS[0]]}}, "catalog.offers"),
        ({"rulebook": "missing.yaml"}, "missing.yaml"),
        ({"tenants": "tenants.csv"}, "rulebook"),
        ({"envelope": ["is", "nonsense"]}, "nonsense"),
        ({"default": ["policy"]}, "default"),
        ({"default": ["top"]}, "default"),
        ({"keys": [key_entry("app", envelope=["is", "nonsense"])]}, "keys: app: envelope"),
        ({"keys": [key_entry("app", tenant="acme")]}, "keys: app"),
        ({"keys": [key_entry("app", tenant="ghost")], "rulebook": "rules.yaml", "tenants": "tenants.csv"}, "keys: app"),
        (
            {"keys": [key_entry("app", tenant="broken")], "rulebook": "rules.yaml", "tenants": "tenants.csv"},
            "keys: app",
        ),
        ({"keys": [key_entry("app", tenant={"plan": "gold"})], "rulebook": "rules.yaml"}, "keys: app"),
        ({"keys": [key_entry("app"), key_entry("app", "other-key-00000001")]}, "app"),
        ({"providers": {"alpha": {"kind": "openai-compatible", "base_url": "http://127.0.0.1:9"}, "openai": {}}}, "op"),
    ],
)
def test_make_generation__what_cannot_be_used_is_refused_in_a_line(
    tmp_path: Path, sections: dict[str, Any], said: str
) -> None:
    write_files(tmp_path)

    assert said in refused(tmp_path, **sections)


def test_make_generation__a_catalog_that_has_a_field_of_the_gateways_is_refused(tmp_path: Path) -> None:
    write_catalog(tmp_path, [{**OFFERS[0], "reachable_chat": True}])

    assert "reachable_chat" in refused(tmp_path)


def test_make_generation__its_number_and_its_limits_are_shown(tmp_path: Path) -> None:
    generation = made(tmp_path, number=7, limits={"attempts": 2})

    assert generation.number == 7
    assert generation.limits_shown["attempts"] == 2
