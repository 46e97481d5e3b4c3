"""Addresses of providers: what a base URL in the operator's file may look like."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from tenantrank.errors import InputError

_URL = re.compile(r"[!-~]{1,512}")


def checked_url(base_url: str, *, insecure: bool = False) -> str:
    """Check a base URL and take the slash from its end.

    Raises
    ------
    InputError
        without showing the URL, which may hold a key: for another scheme than ``https``, or ``http`` to a host that
        is not this machine or of a private network by its address, unless ``insecure``; for user information, a
        query or a fragment, and for characters that no URL has
    """
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or not _URL.fullmatch(base_url) or "\\" in base_url:
        raise InputError("its base_url is not a URL, as https://api.openai.com/v1")
    if "@" in parts.netloc or "?" in base_url or "#" in base_url:
        raise InputError("its base_url has user information, a query or a fragment; a key never goes into a URL")
    if any(part in ("..", ".") for part in parts.path.split("/")) or "%" in base_url:
        raise InputError("its base_url must be written plainly, without '..' and '%'")
    if parts.scheme == "http":
        if not (insecure or _is_near(host)):
            raise InputError("its base_url is http:// to another host; use https://, or say insecure: true")
    elif parts.scheme != "https":
        raise InputError("its base_url must begin with https:// or http://")
    return base_url.rstrip("/")


def _is_near(host: str) -> bool:
    """Whether a host is this machine or of a private network, by what is written; no name is looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or (address.is_private and not address.is_link_local and not address.is_unspecified)
