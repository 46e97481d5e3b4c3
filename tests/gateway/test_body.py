"""Bodies: what is read and refused, and what is sent on byte for byte."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.gateway.body import GATEWAY_MEMBERS, Body
from tenantrank.gateway.problem import Problem


def refused(raw: bytes | str, most: int | None = None) -> Problem:
    text = raw.encode() if isinstance(raw, str) else raw
    with pytest.raises(Problem) as caught:
        Body.read(text) if most is None else Body.read(text, most)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"[]",
        b"1",
        b'"a"',
        b"null",
        b"{",
        b"}",
        b"{}x",
        b"{} {}",
        b'{"a"}',
        b'{"a":}',
        b'{"a" 1}',
        b'{"a":1,}',
        b'{,"a":1}',
        b'{"a":1 "b":2}',
        b'{"a":1;"b":2}',
        b'{"a":1]',
        b'{"a":[1,]}',
        b"{'a':1}",
        b"{a:1}",
        b"{1:1}",
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":1.}',
        b'{"a":"\n"}',
        b'{"a":"\x00"}',
        b'{"a\n":1}',
        b'{"a":"\\x41"}',
        b'{"a":"\\u12"}',
        b'{"a":tru}',
        b'{"a":1}\x00',
        b'{"a":1}\xc2\xa0',
        b'{\x0b"a":1}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xc0\xaf"}',
        b'{"a":/*x*/1}',
        b'{"a":NaN}',
        b'{"a":[Infinity]}',
        b'{"a":{"b":-Infinity}}',
        b'{"a":1e999}',
        b'{"a":[-1e999]}',
    ],
)
def test_read__refuses_what_is_not_one_json_object(raw: bytes) -> None:
    problem = refused(raw)
    assert (problem.status, problem.code) == (400, "invalid_json")


@pytest.mark.parametrize(
    "raw",
    [
        '{"policy_ir":1,"policy_ir":1}',
        '{"policy_ir":1,"policy\\u005fir":2}',
        '{"\\u0070olicy_ir":1,"policy_ir":2}',
        '{"model":"a","messages":[],"model":"b"}',
        '{"tenant":{"plan":"free","plan":"enterprise"}}',
        '{"tenant":{"plan":"free","pl\\u0061n":"enterprise"}}',
        '{"messages":[{"role":"user","content":"a","content":"b"}]}',
        '{"messages":[{"role":"user","content":[{"type":"text","t\\u0079pe":"image_url"}]}]}',
        '{"a":{"b":[{"c":{"":1,"":2}}]}}',
    ],
)
def test_read__refuses_a_key_given_twice_at_any_depth_however_escaped(raw: str) -> None:
    assert refused(raw).code == "invalid_json"
    assert "twice" in str(refused(raw))


def test_read__takes_equal_keys_of_different_objects() -> None:
    assert Body.read(b'{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}').members["a"] == {"a": {"a": 1}}


@pytest.mark.parametrize(
    "text", ['"\\ud800"', '"\\uDFFF"', '["a\\udc00b"]', '{"\\ud83d":1}', '"\\ud83d\\ud83d\\ude00"']
)
@pytest.mark.parametrize("name", ["user", "tenant"])
def test_read__refuses_lone_surrogates(text: str, name: str) -> None:
    assert "surrogate" in str(refused(f'{{"{name}":{text}}}'))
    assert "surrogate" in str(refused('{"\\ud800":1}'))


@pytest.mark.parametrize("text", ['"\\ud83d\\ude00"', '"😀"', '"\\\\ud800"', '"\\u00e9"', '"\\u2028"', '"\\u0000"'])
def test_read__takes_every_other_string(text: str) -> None:
    assert Body.read(f'{{"user":{text}}}'.encode()).members["user"] == json.loads(text)


@pytest.mark.parametrize("seed", [2**53, 2**63 - 1, -(2**63), 2**64 - 1])
def test_read__takes_parameters_of_64_bits_and_sends_them_as_they_came(seed: int) -> None:
    raw = f'{{"seed":{seed}}}'.encode()
    assert Body.read(raw).members["seed"] == seed
    assert str(seed).encode() in Body.read(raw).outgoing("m")


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**400, "9" * 5000])
def test_read__refuses_longer_integers(number: Any) -> None:
    assert refused(f'{{"seed":{number}}}').code == "invalid_json"


@pytest.mark.parametrize("name", sorted(GATEWAY_MEMBERS))
@pytest.mark.parametrize("number", [2**53, -(2**53), 2**64, "9" * 5000, "1e999", "NaN"])
def test_read__holds_the_gateways_members_to_what_every_reader_reads_alike(name: str, number: Any) -> None:
    assert refused(f'{{"{name}":{{"a":[{number}]}}}}').code == "invalid_json"


def test_read__refuses_what_is_too_long() -> None:
    problem = refused(b'{"a":1}', 6)
    assert (problem.status, problem.code) == (413, "body_too_large")
    assert Body.read(b'{"a":1}', 7).members == {"a": 1}


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_read__refuses_deep_nesting_at_once(opening: str) -> None:
    closing = {"[": "]", '{"a":': "}", '[{"a":': "}]"}[opening]
    levels = 127 // opening.count("[") if opening == "[" else 127 // (1 if opening[0] == "{" else 2)
    assert Body.read(f'{{"a":{opening * levels}1{closing * levels}}}'.encode())
    for count in (levels + 1, 2000, 500_000):
        assert "nested" in str(refused(f'{{"a":{opening * count}1{closing * count}}}'))
        assert "nested" in str(refused(f'{{"a":{opening * count}'))


def test_read__gives_the_same_answer_on_a_stack_that_is_nearly_full() -> None:
    raw = b'{"a":' + b"[" * 120 + b"]" * 120 + b"}"

    def below(frames: int) -> Body:
        return Body.read(raw) if frames == 0 else below(frames - 1)

    answers = []

    def run() -> None:
        depth = sys.getrecursionlimit() - 80
        answers.append(below(depth).members)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert answers == [Body.read(raw).members]


def test_read__says_nothing_of_the_body() -> None:
    secret = "5ecret"
    for raw in (
        f'{{"{secret}":1,"{secret}":2}}',
        f'{{"a":"{secret}}}',
        f'{{"a":"{secret}\\ud800"}}',
        f'{{"a":{{"{secret}":1,"{secret}":1}}}}',
        '{"a":5253545556575859505152535455}',
    ):
        problem = refused(raw)
        assert secret not in json.dumps(problem.to_json())
        assert "525354" not in json.dumps(problem.to_json())
        assert problem.__cause__ is None
    assert secret not in repr(Body.read(f'{{"a":"{secret}"}}'.encode()))


def test_members__nested_names_of_the_gateway_are_content() -> None:
    raw = b'{"messages":[{"policy_ir":1,"tenant":"x"}],"metadata":{"provider":{"only":["x"]}}}'
    body = Body.read(raw)
    assert set(body.members) == {"messages", "metadata"}
    assert body.outgoing("m") == raw[:-1] + b',"model":"m"}'


@pytest.mark.parametrize("value", [None, 1, "", [], {}, True])
def test_model__is_a_string_with_something_in_it(value: Any) -> None:
    with pytest.raises(Problem) as caught:
        _ = Body.read(json.dumps({"model": value}).encode()).model
    assert (caught.value.code, caught.value.param) == ("invalid_request", "model")
    with pytest.raises(Problem):
        _ = Body.read(b"{}").model
    assert Body.read(b'{"model":"m"}').model == "m"


@pytest.mark.parametrize("value", [1, 0, "true", [], {}, "false"])
def test_flags__are_true_or_false(value: Any) -> None:
    body = Body.read(json.dumps({"stream": value, "x_router": value}).encode())
    with pytest.raises(Problem) as caught:
        _ = body.stream
    assert caught.value.param == "stream"
    with pytest.raises(Problem) as caught:
        _ = body.wants_record
    assert caught.value.param == "x_router"


def test_flags__are_false_unless_given() -> None:
    assert not Body.read(b'{"stream":null}').stream
    assert not Body.read(b"{}").wants_record
    assert Body.read(b'{"stream":true,"x_router":true}').stream


@pytest.mark.parametrize("raw", ['{"policy_ir": ["top" ] ,"é":"é"}', '{"é":"日本", "policy_ir": ["top" ]\n}'])
def test_text_of__gives_the_bytes_that_came(raw: str) -> None:
    body = Body.read(raw.encode())
    assert body.text_of("policy_ir") == b'["top" ]'
    assert body.length_of("policy_ir") == 8
    assert body.text_of("é") in ('"é"'.encode(), '"日本"'.encode())
    assert body.length_of("é") == len(body.text_of("é") or b"")
    assert body.text_of("tenant") is None
    assert body.length_of("tenant") == 0


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('{"model":"a"}', '{"model":"m"}'),
        ("{}", '{"model":"m"}'),
        (" { } ", ' { "model":"m"}'),
        ('{"policy_ir":1}', '{"model":"m"}'),
        ('{"policy_ir":1,"tenant":2}', '{"model":"m"}'),
        ('{"policy_ir":1,"a":1}', '{"a":1,"model":"m"}'),
        ('{ "policy_ir":1 , "a" : 1 , "tenant":2 }', '{ "a" : 1,"model":"m"}'),
        ('{"a":1 , "policy_ir":1 , "model" : "x" , "tenant":2, "b":2}', '{"a":1 , "model" : "m", "b":2}'),
        ('{"a":1,"scope":"s","requirements":{},"b":2}', '{"a":1,"b":2,"model":"m"}'),
        ('{"\\u006dodel":"a","\\u0074enant":1,"x":"\\u0041"}', '{"\\u006dodel":"m","x":"\\u0041"}'),
        ('{"model":"日本","a":"語","policy_ir":["é"],"b":1.0}', '{"model":"m","a":"語","b":1.0}'),
    ],
)
def test_outgoing__is_the_clients_text_without_what_is_the_gateways(raw: str, expected: str) -> None:
    assert Body.read(raw.encode()).outgoing("m").decode() == expected


def test_outgoing__writes_changes_in_place_and_additions_at_the_end() -> None:
    body = Body.read(b'{"a": 1.50, "temperature": 2 ,"provider":{"only":["x"]},"seed":3, "b": [1 , 2]}')
    sent = body.outgoing("m", {"temperature": 1, "store": False, "provider": {"zdr": True}}, ["seed", "b"])
    assert sent == b'{"a": 1.50, "temperature": 1 ,"provider":{"zdr":true},"store":false,"model":"m"}'
    assert body.outgoing("m", {"seed": 4}, {"seed"}).count(b'"seed":4') == 1
    assert json.loads(body.outgoing("m", {"model": "other"}))["model"] == "m"


@pytest.mark.parametrize("value", [float("inf"), float("nan"), {1, 2}, b"x"])
def test_outgoing__refuses_changes_that_are_no_json(value: Any) -> None:
    with pytest.raises(Problem) as caught:
        Body.read(b"{}").outgoing("m", {"a": value})
    assert caught.value.code == "invalid_policy"


def test_difference__tells_what_transforms_did() -> None:
    body = Body.read(b'{"model":"m","messages":[{"a":1}],"temperature":1,"n":1,"seed":2,"policy_ir":[]}')
    after: dict[str, Any] = json.loads(json.dumps(body.forwarded))
    assert body.difference(after) == ({}, frozenset())
    after["temperature"], after["n"], after["top_p"] = 1.0, True, 0.5
    del after["seed"]
    changes, removed = body.difference(after)
    assert repr(changes) == "{'temperature': 1.0, 'n': True, 'top_p': 0.5}"
    assert removed == {"seed"}


@pytest.mark.parametrize("name", ["model", "stream", "provider", "policy_ir", "models", "api_base", "_filters"])
def test_difference__holds_transforms_off_what_decides(name: str) -> None:
    body = Body.read(b'{"model":"m","stream":false,"messages":[]}')
    with pytest.raises(Problem) as caught:
        body.difference({**body.forwarded, name: "x"})
    assert caught.value.code == "invalid_policy"
    if name in body.members:
        with pytest.raises(Problem):
            body.difference({key: value for key, value in body.forwarded.items() if key != name})


NAMES = st.one_of(
    st.sampled_from([*GATEWAY_MEMBERS, "model", "messages", "seed", "é", "", '"', "\\", "\\u0061"]), st.text(max_size=4)
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
SPACES = st.text(" \t\r\n", max_size=2)


@given(
    st.dictionaries(NAMES, VALUES, max_size=8),
    st.dictionaries(NAMES, VALUES, max_size=3),
    st.sets(NAMES, max_size=3),
    st.booleans(),
    st.data(),
)
def test_outgoing__parses_to_the_original_without_the_gateways_members_and_with_the_changes(
    members: dict[str, Any], changes: dict[str, Any], removed: set[str], ascii_only: bool, data: st.DataObject
) -> None:
    texts = {name: json.dumps(value, ensure_ascii=ascii_only) for name, value in members.items()}
    space = [data.draw(SPACES) for _ in range(4)]
    inner = f"{space[0]},{space[1]}".join(
        f"{json.dumps(name, ensure_ascii=ascii_only)}{space[2]}:{space[3]}{text}" for name, text in texts.items()
    )
    body = Body.read(f"{space[0]}{{{space[1]}{inner}{space[2]}}}{space[3]}".encode())
    assert body.members == members
    assert list(body.members) == list(members)
    for name, text in texts.items():
        assert body.text_of(name) == text.encode()

    sent = body.outgoing("the model", changes, removed)

    kept = {name: value for name, value in members.items() if name not in GATEWAY_MEMBERS and name not in removed}
    expected = {**kept, **changes, "model": "the model"}
    assert json.loads(sent) == expected
    again = Body.read(sent)
    for name in kept.keys() - changes.keys() - {"model"}:
        assert again.text_of(name) == texts[name].encode()


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:\\u01deE+-. \n', max_size=40).map(str.encode))
def test_read__raises_nothing_else_and_agrees_with_the_standard_parser(raw: bytes) -> None:
    try:
        body = Body.read(raw)
    except Problem:
        return
    assert body.members == json.loads(raw)
