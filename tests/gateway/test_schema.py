"""The running server against its own OpenAPI document: requests are generated from it, answers are held against it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tenantrank.gateway.auth import new_key
from tenantrank.testing import MockProvider, running

schemathesis = pytest.importorskip("schemathesis")

EXAMPLES = 200 if os.environ.get("TENANTRANK_LONG") else 8
OFFERS = [
    {"id": "one|chat", "provider_id": "one", "model_family": "m", "price_in": 1.0, "price_out": 2.0, "context": 128000},
    {"id": "one|embed", "provider_id": "one", "model_family": "e", "price_in": 0.1, "mode": "embedding"},
]
RULES = {
    "version": 1,
    "fields": {"plan": {"type": "enum", "values": ["free", "paid"]}},
    "defaults": {"preference": "cheapest"},
    "scorers": {"cheapest": {"lowest": "price_out"}},
    "rules": [{"id": "base", "require": [["is", "priced"]]}],
}
OPERATIONS = [
    "POST /v1/chat/completions",
    "POST /v1/embeddings",
    "GET /v1/models",
    "POST /x/rank",
    "POST /x/rank/batch",
    "POST /x/policy/normalize",
    "POST /x/policy/compile",
    "GET /x/fields",
    "GET /x/catalog",
    "GET /x/traces/{id}",
    "GET /health",
    "GET /ready",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("gateway")
    key, digest = new_key()
    (folder / "rules.json").write_text(json.dumps(RULES))
    with running(MockProvider(keep=10)) as mock:
        config = {
            "server": {"listen": "127.0.0.1:0", "operator_listen": "127.0.0.1:0"},
            "catalog": {"offers": OFFERS},
            "rulebook": "rules.json",
            "providers": {"one": {"base_url": mock.url, "kind": "vllm"}},
            "keys": [{"name": "tests", "sha256": digest}],
            "telemetry": {"log": "none"},
        }
        (folder / "gateway.json").write_text(json.dumps(config))
        command = [Path(sys.executable).parent / "tenantrank", "serve", "--config", folder / "gateway.json"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            try:
                found = (re.match(r"serving at (http://[\d.:]+),", line) for line in process.stderr)
                url = next(match[1] for match in found if match)
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield url, key
            finally:
                process.terminate()


@pytest.mark.parametrize("label", OPERATIONS)
def test_answers__are_as_the_document_says(label: str, server: tuple[str, str]) -> None:
    from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

    url, key = server
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operation = next(each.ok() for each in document.get_all_operations() if each.ok().label == label)

    # That a body of the right shape is refused is no fault: whether a policy or a tenant is right, no schema can say.
    # The check of credentials puts back those that are given here; other tests hold them.
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=[*HealthCheck]
    )
    def hold(case: schemathesis.Case) -> None:
        credential = {"authorization": f"Bearer {key}"}
        case.call_and_validate(
            base_url=url, headers=credential, excluded_checks=[positive_data_acceptance, ignored_auth]
        )

    hold()


def test_document__has_every_operation_that_is_held(server: tuple[str, str]) -> None:
    document = schemathesis.openapi.from_url(f"{server[0]}/openapi.json")
    labels = {each.ok().label for each in document.get_all_operations()}
    assert labels - set(OPERATIONS) <= {"GET /openapi.json", "GET /v1/models/{id}"}
