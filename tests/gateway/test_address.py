"""Addresses that are unsafe or hold a key are refused."""

import pytest

from tenantrank.errors import InputError
from tenantrank.gateway.address import checked_url

KEY = "sk-canary-0123456789"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://api.openai.com/v1",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://user@api.openai.com/v1",
        f"https://user:{KEY}@api.openai.com/v1",
        f"https://api.openai.com/v1?key={KEY}",
        "https://api.openai.com/v1?",
        f"https://api.openai.com/v1#{KEY}",
        "https://api.openai.com/v1#",
        "https://api.openai.com/v1/../admin",
        "https://api.openai.com/%2e%2e/admin",
        "https://api.openai.com\\@evil.example/v1",
        "https://api.openai.com /v1",
        "https://api.openai.com/v1\r\nx: y",
        "https://api.openäi.com/v1",
        "https://api.openai.com:99999/v1",
        "https://[::1/v1",
        "http://api.openai.com/v1",
        "http://vllm:8000/v1",
        "http://8.8.8.8/v1",
        "http://2130706433/v1",
        "http://0x7f.1/v1",
        "http://0.0.0.0/v1",
        "http://169.254.169.254/latest",
        "http://[fe80::1]/v1",
        "http://localhost.evil.example/v1",
        "http://127.0.0.1.nip.io/v1",
    ],
)
def test_unsafe_addresses_are_refused_without_showing_them(url):
    with pytest.raises(InputError) as caught:
        checked_url(url)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/v1",
        "http://127.0.0.1/v1",
        "http://[::1]:8000/v1",
        "http://10.1.2.3/v1",
        "http://192.168.0.1/v1",
    ],
)
def test_plain_http_is_for_near_hosts(url):
    assert checked_url(url + "/") == url
