"""Bodies are changed for a provider only where they must be."""

from tenantrank.gateway.known import KNOWN
from tenantrank.gateway.quirks import Quirks, adapted


def test_mistral_gets_the_names_it_knows():
    quirks = KNOWN["mistral"].quirks
    body = {
        "max_completion_tokens": 9,
        "seed": 3,
        "store": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    changes, removed = adapted(body, quirks, usage=True)
    assert changes == {"max_tokens": 9, "random_seed": 3}
    assert removed == {"max_completion_tokens", "seed", "store", "stream_options"}


def test_a_name_that_is_there_already_is_not_written_over():
    changes, removed = adapted({"max_completion_tokens": 9, "max_tokens": 5}, KNOWN["ollama"].quirks)
    assert changes == {}
    assert removed == {"max_completion_tokens"}


def test_no_retention_is_said_where_it_can_be():
    asked = {"store": True, "prompt_cache_retention": "24h"}
    assert adapted(asked, KNOWN["openai"].quirks, no_retention=True) == ({"store": False}, {"prompt_cache_retention"})
    assert adapted({}, KNOWN["openrouter"].quirks, no_retention=True) == (
        {"provider": {"data_collection": "deny", "zdr": True}},
        frozenset(),
    )
    assert adapted(asked, KNOWN["groq"].quirks, no_retention=True) == ({}, {"store", "prompt_cache_retention"})
    assert adapted(asked, KNOWN["openai"].quirks) == ({}, frozenset())


def test_usage_is_asked_for_only_in_streams_that_do_not_say():
    quirks = Quirks()
    assert adapted({"stream": True}, quirks, usage=True)[0] == {"stream_options": {"include_usage": True}}
    given = {"stream": True, "stream_options": {"include_obfuscation": False}}
    assert adapted(given, quirks, usage=True)[0] == {
        "stream_options": {"include_obfuscation": False, "include_usage": True}
    }
    assert adapted({"stream": True, "stream_options": {"include_usage": False}}, quirks, usage=True)[0] == {}
    assert adapted({}, quirks, usage=True)[0] == {}
    assert adapted({"stream": True}, quirks)[0] == {}
