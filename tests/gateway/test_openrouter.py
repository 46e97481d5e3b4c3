"""OpenRouter's provider object: what its policies let through, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tenantrank as tr
from tenantrank.gateway.directory import Directory
from tenantrank.gateway.openrouter import MEMBERS, policy_of_provider
from tenantrank.gateway.problem import Problem


def offer(provider: str, price: float | None = 1.0, family: str = "gpt-4o", **more: Any) -> dict[str, Any]:
    prices = {"price_in": price, "price_out": price}
    return {"id": f"{provider}|{family}", "provider_id": provider, "model_family": family, **prices, **more}


CATALOG = tr.Catalog.from_records(
    [
        offer("openai", 3.0, lab="openai", no_log=True, trains_on_data="no", supports_temperature=True),
        offer("azure", 4.0, lab="openai", no_log=True, trains_on_data="yes", supports_structured_output=True),
        offer("minimax", 2.0, lab="openai", trains_on_data="no"),
        offer("minimax-cn", 1.0, lab="openai"),
        offer("groq", None, lab="openai", no_log=False),
        offer("openai", 1.0, "gpt-5"),
    ]
)
DIRECTORY = Directory.of(CATALOG)
ENGINE = tr.Engine(CATALOG)


def providers(provider: dict[str, Any], model: str = "openai/gpt-4o", sent: Any = ()) -> list[str]:
    policy = tr.admit(policy_of_provider(provider, model, DIRECTORY, sent), CATALOG.fields)
    decision = ENGINE.rank(policy)
    assert all(name.endswith("gpt-4o") for name in decision.offer_ids)
    return [name.partition("|")[0] for name in decision.offer_ids]


EVERYONE = ["minimax-cn", "minimax", "openai", "azure", "groq"]


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ({}, EVERYONE),
        (dict.fromkeys(MEMBERS), EVERYONE),
        ({"only": ["Azure", "openai", "OpenAI"]}, ["openai", "azure"]),
        ({"only": ["anthropic"]}, []),
        ({"only": ["openai"], "ignore": ["openai"]}, []),
        ({"ignore": []}, EVERYONE),
        ({"ignore": ["minimax", "anthropic"]}, ["openai", "azure", "groq"]),
        ({"ignore": ["minimax-cn"]}, ["minimax", "openai", "azure", "groq"]),
        ({"order": ["groq", "azure"]}, ["groq", "azure", "minimax-cn", "minimax", "openai"]),
        ({"order": ["groq", "azure"], "allow_fallbacks": True}, ["groq", "azure", "minimax-cn", "minimax", "openai"]),
        ({"order": ["groq", "azure"], "allow_fallbacks": False}, ["groq", "azure"]),
        ({"order": ["anthropic"], "allow_fallbacks": False}, []),
        ({"order": ["azure"], "allow_fallbacks": False, "only": ["groq"]}, []),
        ({"allow_fallbacks": False}, ["minimax-cn"]),
        ({"max_price": {"prompt": 3, "completion": "2.50"}}, ["minimax-cn", "minimax"]),
        ({"max_price": {"prompt": 1000}}, ["minimax-cn", "minimax", "openai", "azure"]),
        ({"max_price": {"prompt": None, "image": None}}, EVERYONE),
        ({"zdr": True}, ["openai", "azure"]),
        ({"zdr": False, "data_collection": "allow"}, EVERYONE),
        ({"data_collection": "deny"}, ["openai"]),
        ({"require_parameters": True}, EVERYONE),
        ({"sort": "throughput", "quantizations": [], "enforce_distillable_text": False}, None),
    ],
)
def test_policy_of_provider__decides(provider: dict[str, Any], expected: list[str] | None) -> None:
    found = providers(provider)
    assert found == expected if expected is not None else sorted(found) == sorted(EVERYONE)


def test_policy_of_provider__requires_parameters() -> None:
    required = {"require_parameters": True}
    common = {"model": "m", "messages": [], "stream": True, "max_tokens": 1}
    assert providers(required, sent=common) == EVERYONE
    assert providers(required, sent={**common, "temperature": 1}) == ["openai"]
    assert providers(required, sent=["temperature"]) == ["openai"]
    form = {"type": "json_schema"}
    policy = policy_of_provider(required, "gpt-4o", DIRECTORY, {"response_format": form})
    assert ["is", "supports_structured_output"] in policy[1]
    with pytest.raises(Problem) as caught:
        providers(required, sent={"some_new_field": 1})
    assert caught.value.param == "provider.require_parameters"


def test_policy_of_provider__holds_every_offer_to_the_calls_needs() -> None:
    assert ["meets_req"] in policy_of_provider({}, "gpt-4o", DIRECTORY)[1]


@pytest.mark.parametrize(
    ("model", "sort", "same_as"),
    [
        ("openai/gpt-4o:nitro", None, {"sort": "throughput"}),
        ("gpt-4o:floor", "price", {"sort": "price"}),
        ("gpt-4o", None, {}),
        ("GPT-4o-2024-08-06", None, {}),
    ],
)
def test_policy_of_provider__reads_the_models_ending(model: str, sort: str | None, same_as: dict[str, Any]) -> None:
    assert policy_of_provider({"sort": sort}, model, DIRECTORY) == policy_of_provider(same_as, "gpt-4o", DIRECTORY)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("openai/gpt-4oo", "did you mean 'gpt-4o'"),
        ("gpt-4o:free", "no model family"),
        ("gpt-4o:online", "no model family"),
        ("openrouter/auto", "no model family"),
        ("azure/gpt-4o", "provider.only"),
        ("groq/gpt-4o", "provider.only"),
        (":nitro", "no model family"),
        ("x" * 100_000, "no model family"),
    ],
)
def test_policy_of_provider__knows_its_models(model: str, said: str) -> None:
    with pytest.raises(Problem, match=said) as caught:
        policy_of_provider({}, model, DIRECTORY)
    assert (caught.value.status, caught.value.code, caught.value.param) == (404, "model_not_found", "model")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("provider", "param"),
    [
        ({"onyl": ["openai"]}, "onyl"),
        ({"Only": ["openai"]}, "Only"),
        ({"only": []}, "only"),
        *(({"only": value}, "only") for value in ("openai", {}, [1], [None], [["openai"]], True, ["openai"] * 65)),
        ({"only": ["opnai"]}, "only"),
        ({"only": ["openai/eastus"]}, "only"),
        ({"only": [""]}, "only"),
        ({"ignore": ["ｏpenai"]}, "ignore"),
        ({"ignore": ["openai "]}, None),
        ({"ignore": ["Open\u200bAI"]}, "ignore"),
        ({"order": ["nobody"]}, "order"),
        *(({"allow_fallbacks": value}, "allow_fallbacks") for value in ("false", 0, 1, [], {})),
        *(({"zdr": value}, "zdr") for value in ("true", 1, "deny")),
        *(({"data_collection": value}, "data_collection") for value in ("Deny", True, False, 0, ["deny"], {})),
        *(({"require_parameters": value}, "require_parameters") for value in ("true", 1)),
        *(({"quantizations": value}, "quantizations") for value in (["fp8"], "fp8", ["unknown"], 0, False, {})),
        ({"enforce_distillable_text": True}, "enforce_distillable_text"),
        *(({"max_price": value}, "max_price") for value in (1, "1", [], True, {"request": 0}, {"image": 1})),
        *(({"max_price": {"prompt": value}}, "max_price") for value in (-1, "-1", "1e3", "inf", "nan", "", True, [])),
        ({"max_price": {"promt": 1}}, "max_price"),
        ({"sort": "cheapest"}, "sort"),
        ({"preferred_max_latency": {"p99": 1}}, "preferred_max_latency"),
        ({"": 1}, ""),
        ({"x" * 100_000: 1}, "x" * 64),
    ],
)
def test_policy_of_provider__refuses_what_it_cannot_promise(provider: dict[str, Any], param: str | None) -> None:
    if param is None:
        assert providers(provider) == providers({"ignore": ["openai"]})
        return
    with pytest.raises(Problem) as caught:
        policy_of_provider(provider, "gpt-4o", DIRECTORY)
    assert (caught.value.status, caught.value.code) == (400, "invalid_provider")
    assert caught.value.param == f"provider.{param}"
    assert len(str(caught.value)) < 300


def test_policy_of_provider__refuses_a_sort_that_the_models_ending_contradicts() -> None:
    with pytest.raises(Problem, match="throughput"):
        policy_of_provider({"sort": "price"}, "gpt-4o:nitro", DIRECTORY)


NAMES = st.lists(st.sampled_from(["openai", "azure", "minimax", "minimax-cn", "groq", "anthropic"]), max_size=4)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "only": NAMES.filter(bool),
            "ignore": NAMES,
            "order": NAMES,
            "allow_fallbacks": st.booleans(),
            "zdr": st.booleans(),
            "data_collection": st.sampled_from(["allow", "deny"]),
            "sort": st.sampled_from(["price", "latency", "throughput"]),
            "max_price": st.fixed_dictionaries({"prompt": st.integers(0, 5)}),
            "preferred_min_throughput": st.integers(0, 5),
        },
    )
)
def test_policy_of_provider__never_lets_through_what_a_hard_member_forbids(provider: dict[str, Any]) -> None:
    found = providers(provider)
    assert set(found) <= set(provider.get("only", EVERYONE)) - set(provider.get("ignore", []))
    if provider.get("zdr") or provider.get("data_collection") == "deny":
        assert set(found) <= {"openai", "azure"}
    if provider.get("allow_fallbacks") is False:
        assert len(found) <= 1 if not provider.get("order") else set(found) <= set(provider["order"])
    else:
        listed = list(dict.fromkeys(name for name in provider.get("order", []) if name in found))
        assert found[: len(listed)] == listed
    if "max_price" in provider:
        assert "groq" not in found
