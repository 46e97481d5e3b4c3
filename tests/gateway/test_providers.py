"""Only what the operator's file names can be called, with the key and the form that the file gives."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from tenantrank.errors import InputError
from tenantrank.gateway.address import checked_url
from tenantrank.gateway.known import GENERIC, KNOWN
from tenantrank.gateway.providers import ProviderSettings, providers_of

KEY = "sk-canary-0123456789"
ENVIRON = {known.variable: KEY for known in KNOWN.values() if known.variable} | {"OTHER": "other-key"}


def one(name="openai", environ=ENVIRON, **settings):
    return providers_of({name: ProviderSettings(**settings)}, environ, Path())[name]


def test_the_table_is_sound():
    for name, known in KNOWN.items():
        if known.base_url is not None:
            assert checked_url(known.base_url) == known.base_url, name
        if known.regional is not None:
            assert checked_url(known.regional.format(region="eu-west-1"))
        assert known.routes <= {"chat", "embeddings"}
        assert known.auth[0] == known.auth[0].lower()


@pytest.mark.parametrize("name", [name for name, known in KNOWN.items() if known.base_url])
def test_a_known_provider_needs_only_its_key(name):
    endpoint = one(name).endpoint(None)
    assert endpoint.url("chat") == KNOWN[name].base_url + "/chat/completions"
    assert endpoint.url("embeddings") == KNOWN[name].base_url + "/embeddings"
    if KNOWN[name].variable:
        assert endpoint.headers() == {"authorization": f"Bearer {KEY}"}
        assert endpoint.credential == f"{name}/{KNOWN[name].variable}"
    else:
        assert endpoint.headers() == {}
        assert endpoint.credential == f"{name}/none"


def test_azure_takes_its_key_in_a_header_of_its_own():
    endpoint = one("azure", base_url="https://res.openai.azure.com/openai/v1/").endpoint(None)
    assert endpoint.url("chat") == "https://res.openai.azure.com/openai/v1/chat/completions"
    assert endpoint.headers() == {"api-key": KEY}
    with pytest.raises(InputError, match="needs a base_url"):
        one("azure")


def test_headers_are_made_anew_each_time():
    endpoint = one(headers={"OpenAI-Organization": "org-1", "X-Extra": "os.environ/OTHER"}).endpoint(None)
    first = endpoint.headers()
    assert first == {"openai-organization": "org-1", "x-extra": "other-key", "authorization": f"Bearer {KEY}"}
    first.clear()
    assert len(endpoint.headers()) == 3


def test_an_offer_of_a_region_is_served_by_that_endpoint_alone():
    both = one(
        endpoints={"eu": {"base_url": "https://eu.api.openai.com/v1", "key": "os.environ/OTHER"}},
        key="os.environ/OPENAI_API_KEY",
    )
    assert both.endpoint(None).base_url == "https://api.openai.com/v1"
    assert both.endpoint("eu").base_url == "https://eu.api.openai.com/v1"
    assert both.endpoint("eu").headers() == {"authorization": "Bearer other-key"}
    assert both.endpoint("eu").credential == "openai/OTHER"
    assert both.endpoint("us") is None
    assert both.endpoint("EU") is None
    only = one(endpoints={"eu": {"base_url": "https://eu.api.openai.com/v1"}})
    assert only.endpoint(None) is None
    assert only.endpoint("eu").credential == "openai/OPENAI_API_KEY"


def test_a_region_never_falls_back_to_the_common_address():
    with pytest.raises(InputError, match="needs its own base_url"):
        one(endpoints={"eu": {"key": "os.environ/OTHER"}})
    with pytest.raises(InputError, match="needs its own base_url"):
        one(base_url="https://proxy.example/v1", endpoints={"eu": {}})


def test_bedrock_has_an_address_for_each_region():
    bedrock = one("amazon-bedrock", endpoints={"us-west-2": {}, "eu-central-1": {}})
    assert bedrock.endpoint("us-west-2").base_url == "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1"
    assert bedrock.endpoint(None) is None
    with pytest.raises(InputError, match="region key"):
        one("amazon-bedrock", endpoints={"x.evil.example/": {}})


def test_reaches_asks_region_model_and_route():
    provider = one("anthropic", models=["claude-haiku-4-5"])
    assert provider.reaches(None, "claude-haiku-4-5", "chat")
    assert not provider.reaches(None, "claude-haiku-4-5", "embeddings")
    assert not provider.reaches(None, "claude-opus-4", "chat")
    assert not provider.reaches("eu", "claude-haiku-4-5", "chat")
    assert one().reaches(None, "anything", "embeddings")


def test_a_kind_gives_the_form_of_a_known_provider_to_another_name():
    mine = one("my-gpus", kind="vllm", base_url="http://10.0.0.7:8000/v1")
    assert mine.endpoint(None).kind == "vllm"
    assert mine.endpoint(None).provider == "my-gpus"
    assert one("my-gpus", base_url="https://llm.example/v1").endpoint(None).kind == GENERIC
    with pytest.raises(InputError, match="openai"):
        one("mine", kind="openia", base_url="https://llm.example/v1")


def test_unsafe_addresses_are_refused_without_showing_them():
    with pytest.raises(InputError, match="provider 'openai': its base_url has") as caught:
        one(base_url=f"https://api.openai.com/v1?key={KEY}")
    assert KEY not in str(caught.value)


def test_insecure_says_so():
    assert one(base_url="http://vllm:8000/v1", insecure=True).endpoint(None).base_url == "http://vllm:8000/v1"
    with pytest.raises(InputError, match="query"):
        one(base_url="http://vllm:8000/v1?key=1", insecure=True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer x"},
        {"api-key": "x"},
        {"Cookie": "x"},
        {"Host": "evil.example"},
        {"content-length": "1"},
        {"x y": "1"},
        {"x": "a\r\nb: c"},
        {"x": "é"},
        {"X-A": "1", "x-a": "2"},
        {"x": "os.environ/NOT_SET"},
    ],
)
def test_headers_that_are_not_the_operators_to_set_are_refused(headers):
    with pytest.raises(InputError):
        one(headers=headers)


def test_keys_are_in_no_message_and_no_text_form():
    with pytest.raises(InputError) as caught:
        one(key=KEY)
    assert KEY not in str(caught.value)
    assert str(caught.value).startswith("provider 'openai':")
    with pytest.raises(InputError, match="OPENAI_API_KEY for a key is not set"):
        one(environ={})
    provider = one(headers={"x-extra": "os.environ/OTHER"})
    assert KEY not in repr(provider) + repr(provider.endpoint(None))
    assert "other-key" not in repr(provider)
    assert KEY not in repr(ProviderSettings(key=KEY))


@pytest.mark.parametrize(
    "given", [{"keys": KEY}, {"key": 3, "base_url": KEY}, {"idle_s": 0}, {"endpoints": {"eu": {"secret": KEY}}}]
)
def test_settings_with_unknown_or_wrong_members_are_refused_without_their_values(given):
    with pytest.raises(ValidationError) as caught:
        ProviderSettings.model_validate(given)
    assert KEY not in str(caught.value)


def test_names_of_providers_are_plain():
    with pytest.raises(InputError, match=re.escape("letters, digits")):
        one("a b", base_url="https://llm.example/v1")
