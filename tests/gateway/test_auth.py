"""Keys: who is let in, and who is not."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tenantrank.errors import InputError
from tenantrank.gateway.auth import Keys, KeySettings, RateSettings, new_key
from tenantrank.gateway.problem import Problem

KEY, DIGEST = new_key(lambda count: bytes(range(count)))
OTHER, OTHER_DIGEST = new_key()
KEYS = Keys([KeySettings(name="a", sha256=DIGEST), KeySettings(name="b", sha256=OTHER_DIGEST, tenant="t1")])
BEARER = (b"authorization", b"Bearer " + KEY.encode())
NOISE = [(b"host", b"x"), (b"content-type", b"application/json"), (b"cookie", b"api-key=" + KEY.encode())]


def refused(*headers: tuple[bytes, bytes]) -> Problem:
    with pytest.raises(Problem) as caught:
        KEYS.caller(headers)
    problem = caught.value
    assert (problem.status, problem.type) == (401, "authentication_error")
    assert problem.headers == {"www-authenticate": "Bearer"}
    assert KEY not in str(problem)
    assert OTHER not in str(problem)
    return problem


@pytest.mark.parametrize(
    "header",
    [
        BEARER,
        (b"Authorization", BEARER[1]),
        (b"authorization", b"bearer " + KEY.encode()),
        (b"authorization", b"BEARER  " + KEY.encode()),
        (b"x-api-key", KEY.encode()),
        (b"X-API-Key", KEY.encode()),
        (b"api-key", KEY.encode()),
    ],
)
def test_caller__is_known_by_one_credential(header: tuple[bytes, bytes]) -> None:
    assert KEYS.caller([*NOISE, header]).name == "a"


@pytest.mark.parametrize("first", [BEARER, (b"x-api-key", KEY.encode()), (b"api-key", KEY.encode())])
@pytest.mark.parametrize(
    "second",
    [
        BEARER,
        (b"authorization", b"Bearer " + OTHER.encode()),
        (b"AUTHORIZATION", b"Bearer wrong"),
        (b"authorization", b""),
        (b"authorization", b"Basic eDp5"),
        (b"x-api-key", KEY.encode()),
        (b"X-Api-Key", OTHER.encode()),
        (b"api-key", b""),
    ],
)
def test_caller__of_two_credentials_is_nobody(first: tuple[bytes, bytes], second: tuple[bytes, bytes]) -> None:
    assert refused(first, second).code == "ambiguous_credentials"
    assert refused(second, *NOISE, first).code == "ambiguous_credentials"


def test_caller__without_a_credential_is_nobody() -> None:
    assert refused(*NOISE).code == "missing_api_key"
    assert refused((b"proxy-authorization", BEARER[1]), (b"x-goog-api-key", KEY.encode())).code == "missing_api_key"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        KEY.encode(),
        b"Basic " + KEY.encode(),
        b"Bearer " + KEY.encode() + b" ",
        b" Bearer " + KEY.encode(),
        b"Bearer\t" + KEY.encode(),
        b"Bearer " + KEY.encode() + b", Bearer " + KEY.encode(),
        b"Bearer " + KEY.encode() + b"," + OTHER.encode(),
        b"Bearer " + KEY.encode() + b"\x00",
        b"Bearer " + KEY.encode() + b"\n",
        b"Bearer " + KEY[:-1].encode(),
        b"Bearer " + KEY.encode() + b"A",
        b"Bearer " + KEY.upper().encode(),
        b"Bearer " + DIGEST.encode(),
        b"Bearer " + b"A" * 5000,
        b"Bearer \xff" + KEY.encode(),
    ],
)
def test_caller__of_any_other_credential_is_nobody(value: bytes) -> None:
    assert refused((b"authorization", value)).code == "invalid_api_key"
    if not value.lower().startswith(b"bearer") and value != KEY.encode():
        assert refused((b"x-api-key", value)).code == "invalid_api_key"


@given(
    st.lists(st.tuples(st.sampled_from([b"authorization", b"x-api-key", b"api-key", b"x"]), st.binary()), max_size=4)
)
def test_caller__raises_nothing_else(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Problem):
        KEYS.caller(headers)


def test_keys__without_any_let_nobody_in() -> None:
    with pytest.raises(Problem):
        Keys([]).caller([BEARER])


def test_keys__share_neither_name_nor_digest() -> None:
    with pytest.raises(InputError, match="two keys are called 'a'"):
        Keys([KeySettings(name="a", sha256=DIGEST), KeySettings(name="a", sha256=OTHER_DIGEST)])
    with pytest.raises(InputError, match="key 'b' is the same as key 'a'"):
        Keys([KeySettings(name="a", sha256=DIGEST), KeySettings(name="b", sha256=DIGEST)])
    assert [caller.name for caller in KEYS.callers] == ["a", "b"]


def test_new_key__is_long_random_and_known_by_its_digest() -> None:
    assert KEY.startswith("trk_")
    assert len(KEY) == 47
    assert hashlib.sha256(KEY.encode()).hexdigest() == DIGEST
    assert new_key()[0] != new_key()[0]


def test_caller__may_do_what_the_file_says() -> None:
    plain, bound = KEYS.callers
    assert plain.ways == {"policy_ir", "tenant", "provider"}
    assert plain.routes == {"chat", "embeddings", "models", "rank"}
    assert (bound.ways, bound.tenant, bound.rate) == (frozenset(), "t1", None)
    rate = RateSettings(requests_per_minute=60)
    key = KeySettings(name="c", sha256=DIGEST, ways=["default"], routes=["chat"], rate=rate, envelope=["top"])
    caller = key.caller()
    assert (caller.ways, caller.routes, caller.envelope) == ({"default"}, {"chat"}, ["top"])
    assert caller.rate is not None
    assert (caller.rate.per_minute, caller.rate.burst) == (60, 10)
    caller.check_route("chat")
    with pytest.raises(Problem) as caught:
        caller.check_route("embeddings")
    assert (caught.value.status, caught.value.code) == (403, "not_permitted")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a\n"},
        {"name": "a b"},
        {"sha256": DIGEST.upper()},
        {"sha256": DIGEST + "\n"},
        {"sha256": KEY},
        {"tenant": ""},
        {"tenant": {}},
        {"tenant": 5},
        {"tenant": "t", "ways": ["policy_ir"]},
        {"ways": ["anything"]},
        {"routes": ["operator"]},
        {"routes": "chat"},
        {"envelope": "top"},
        {"rate": {"requests_per_minute": 0}},
        {"rate": {"requests_per_minute": 1, "burst": 0}},
        {"key": KEY},
    ],
)
def test_settings__are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KeySettings.model_validate({"name": "a", "sha256": DIGEST, **wrong})
