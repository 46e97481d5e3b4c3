"""Tiny hand-made copies of each source's form, with invented figures."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

LITELLM: dict[str, Any] = {
    "sample_spec": {"litellm_provider": "one of", "mode": "one of"},
    "gpt-9": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 1.5e-07,
        "output_cost_per_token": 6e-07,
        "cache_read_input_token_cost": 7.5e-08,
        "input_cost_per_token_above_272k_tokens": 3e-07,
        "output_cost_per_token_above_272k_tokens": 9e-07,
        "input_cost_per_token_batches": 7.5e-08,
        "max_input_tokens": 272000,
        "max_output_tokens": 128000,
        "supports_function_calling": True,
        "supports_response_schema": True,
        "supports_vision": False,
        "regional_processing_uplift_multiplier_eu": 1.1,
        "regional_processing_uplift_multiplier_us": 1.1,
        "deprecation_date": "2027-02-03",
    },
    "azure/eu/gpt-9": {
        "litellm_provider": "azure",
        "mode": "chat",
        "input_cost_per_token": 1.65e-07,
        "output_cost_per_token": 6.6e-07,
    },
    "azure_ai/gpt-9": {
        "litellm_provider": "azure_ai",
        "mode": "chat",
        "input_cost_per_token": 1.5e-07,
        "output_cost_per_token": 6e-07,
        "supports_function_calling": True,
        "supports_vision": True,
    },
    "bedrock/eu-west-2/acme.claude-sonnet-7-20300101-v1:0": {
        "litellm_provider": "bedrock",
        "mode": "chat",
        "input_cost_per_token": 3e-06,
        "output_cost_per_token": 1.5e-05,
    },
    "eu.anthropic.claude-sonnet-7-20300101-v1:0": {
        "litellm_provider": "bedrock_converse",
        "mode": "chat",
        "input_cost_per_token": 3.3e-06,
        "output_cost_per_token": 1.65e-05,
        "supports_function_calling": True,
    },
    "bedrock/*/1-month-commitment/acme.x": {"litellm_provider": "bedrock", "mode": "chat"},
    "fireworks_ai/qwen9p5": {
        "litellm_provider": "fireworks_ai",
        "mode": "chat",
        "input_cost_per_token": 2e-07,
        "output_cost_per_token": 2e-07,
    },
    "fireworks_ai/accounts/fireworks/models/qwen9p5": {
        "litellm_provider": "fireworks_ai",
        "mode": "chat",
        "input_cost_per_token": 9e-07,
        "output_cost_per_token": 9e-07,
        "supports_function_calling": True,
    },
    "azure_ai/overpriced": {
        "litellm_provider": "azure_ai",
        "mode": "chat",
        "input_cost_per_token": 3.2e-03,
        "output_cost_per_token": 9.71e-03,
        "cache_read_input_token_cost": 1e-07,
        "max_input_tokens": 8192,
    },
    "dashscope/tiers": {
        "litellm_provider": "dashscope",
        "mode": "chat",
        "tiered_pricing": [
            {"input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07, "range": [0, 256000.0]},
            {"input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06, "range": [256000.0, 1000000.0]},
        ],
    },
    "text-embedding-9": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 1e-08},
    "together-ai-4.1b-8b": {"litellm_provider": "together_ai", "mode": "chat", "input_cost_per_token": 2e-07},
}

MODELS_DEV: dict[str, Any] = {
    "openai": {
        "id": "openai",
        "name": "OpenAI",
        "api": None,
        "models": {
            "gpt-9": {
                "id": "gpt-9",
                "name": "GPT-9",
                "family": "gpt",
                "reasoning": True,
                "tool_call": True,
                "structured_output": None,
                "temperature": False,
                "open_weights": False,
                "knowledge": "2029-06",
                "release_date": "2030-01-02",
                "modalities": {"input": ["text", "image"], "output": ["text"]},
                "limit": {"context": 400000, "input": 272000, "output": 128000},
                "cost": {
                    "input": 0.2,
                    "output": 0.6,
                    "cache_read": 0.02,
                    "context_over_200k": {"input": 0.4, "output": 0.9},
                },
            },
            "gpt-image-9": {
                "id": "gpt-image-9",
                "name": "GPT Image 9",
                "modalities": {"input": ["text"], "output": ["image"]},
                "limit": {"context": 0, "output": 0},
            },
        },
    },
    "router": {
        "id": "router",
        "name": "Router",
        "api": "https://router.example/v1",
        "models": {
            "OpenAI/GPT-9": {
                "id": "OpenAI/GPT-9",
                "name": "GPT-9",
                "reasoning": True,
                "tool_call": True,
                "open_weights": False,
                "modalities": {"input": ["text"], "output": ["text"]},
                "limit": {"context": 0, "output": 99999999},
                "cost": {"input": 0, "output": 0},
            },
            "local": {
                "id": "local",
                "name": "Local",
                "reasoning": False,
                "tool_call": False,
                "open_weights": True,
                "provider": {"api": "http://localhost:1234/v1"},
                "modalities": {"input": ["text"], "output": ["text"]},
                "limit": {"context": 8192, "output": 4096},
            },
        },
    },
}

GENAI = """
import datetime
from decimal import Decimal
from .types import *

providers: list[Provider] = [
    Provider(
        id='openai',
        api_pattern='https://api\\\\.openai\\\\.com',
        models=[
            ModelInfo(
                id='gpt-9-mini',
                match=ClauseAnd(and_=[ClauseStartsWith(starts_with='gpt-9'), ClauseContains(contains='mini')]),
                prices=ModelPrice(input_mtok=Decimal('0.05'), output_mtok=Decimal('0.4')),
            ),
            ModelInfo(
                id='gpt-9',
                match=ClauseOr(or_=[ClauseEquals(equals='GPT-9'), ClauseRegex(regex='^gpt-9-20\\\\d\\\\d')]),
                context_window=400000,
                deprecated=True,
                prices=[
                    ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('2'))),
                    ConditionalPrice(
                        constraint=StartDateConstraint(start_date=datetime.date(2026, 3, 1)),
                        prices=ModelPrice(
                            input_mtok=TieredPrices(
                                base=Decimal('0.15'), tiers=[Tier(start=272000, price=Decimal('0.3'))]
                            ),
                            output_mtok=TieredPrices(
                                base=Decimal('0.6'), tiers=[Tier(start=272000, price=Decimal('0.9'))]
                            ),
                            cache_write_mtok=Decimal('0.1875'),
                        ),
                    ),
                    ConditionalPrice(
                        constraint=StartDateConstraint(start_date=datetime.date(2031, 1, 1)),
                        prices=ModelPrice(input_mtok=Decimal('7'), output_mtok=Decimal('8')),
                    ),
                    ConditionalPrice(
                        constraint=TimeOfDateConstraint(start_time=datetime.time(1), end_time=datetime.time(2)),
                        prices=ModelPrice(input_mtok=Decimal('70'), output_mtok=Decimal('80')),
                    ),
                ],
            ),
        ],
    ),
    Provider(id='google', models=[
        ModelInfo(
            id='gemini-9',
            match=ClauseEndsWith(ends_with='gemini-9'),
            prices=ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('3')),
        ),
    ]),
]
"""

PROFILES = '''"""Generated."""

from typing import Any

_PROFILES: dict[str, dict[str, Any]] = {
    "gpt-9": {
        "name": "GPT 9",
        "release_date": "2030-01-03",
        "open_weights": False,
        "max_input_tokens": 272000,
        "max_output_tokens": 128000,
        "image_inputs": True,
        "audio_inputs": False,
        "text_outputs": True,
        "reasoning_output": True,
        "tool_calling": True,
    },
    "gpt-9-nano": {"name": "GPT 9 nano", "text_outputs": True, "tool_calling": False, "max_input_tokens": 1000},
    "gpt-image-9": {"name": "GPT Image 9", "text_outputs": False},
}
'''


def wheel(path: Path, name: str, version: str, members: dict[str, str | bytes]) -> Path:
    """Write a wheel that holds the members."""
    file = path / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for inside, content in members.items():
            archive.writestr(inside, content)
        archive.writestr(f"{name}-{version}.dist-info/METADATA", f"Name: {name}\nVersion: {version}\n")
    return file


def litellm_wheel(path: Path, models: dict[str, Any] | None = None) -> Path:
    """Write litellm's wheel."""
    content = json.dumps(LITELLM if models is None else models)
    return wheel(path, "litellm", "9.9.9", {"litellm/model_prices_and_context_window_backup.json": content})


def genai_wheel(path: Path) -> Path:
    """Write genai-prices' wheel."""
    return wheel(path, "genai_prices", "0.9", {"genai_prices/data.py": GENAI})


def profiles_wheel(path: Path) -> Path:
    """Write a partner package's wheel."""
    members: dict[str, str | bytes] = {
        "langchain_openai/data/_profiles.py": PROFILES,
        "langchain_openai/data/profile_augmentations.toml": 'provider = "openai"\n',
    }
    return wheel(path, "langchain_openai", "1.0", members)


def models_dev_json(path: Path, providers: dict[str, Any] | None = None) -> Path:
    """Write the site's JSON."""
    file = path / "api.json"
    file.write_text(json.dumps(MODELS_DEV if providers is None else providers))
    return file


def models_dev_sqlite(path: Path) -> Path:
    """Write the package's database, with the content of `MODELS_DEV` that it has columns for."""
    file = path / "_db.sqlite"
    with closing(sqlite3.connect(file)) as db:
        db.executescript(
            """
            CREATE TABLE metadata (key TEXT, value TEXT);
            CREATE TABLE providers (id TEXT, name TEXT, npm TEXT, api TEXT, doc TEXT, env TEXT);
            CREATE TABLE models (full_id TEXT, provider_id TEXT, id TEXT, name TEXT, family TEXT, reasoning INTEGER,
                tool_call INTEGER, structured_output INTEGER, temperature INTEGER, knowledge TEXT, open_weights INTEGER,
                limit_context INTEGER, limit_input INTEGER, limit_output INTEGER, status TEXT, provider_api TEXT);
            CREATE TABLE model_modalities (model_full_id TEXT, direction TEXT, position INTEGER, value TEXT);
            CREATE TABLE pricing (model_full_id TEXT, experimental_mode_name TEXT, min_context INTEGER, cost_input REAL,
                cost_output REAL, cost_reasoning REAL, cost_cache_read REAL, cost_cache_write REAL,
                cost_input_audio REAL, cost_output_audio REAL);
            INSERT INTO metadata VALUES ('generated_at', '2030-08-18T08:14:34+00:00');
            """
        )
        for provider_id, provider in MODELS_DEV.items():
            db.execute(
                "INSERT INTO providers VALUES (?,?,?,?,?,?)",
                (provider_id, provider["name"], "", provider["api"], "", ""),
            )
            for wire, model in provider["models"].items():
                _insert(db, provider_id, wire, model)
        db.commit()
    return file


def _insert(db: sqlite3.Connection, provider_id: str, wire: str, model: dict[str, Any]) -> None:
    full, limit, cost = f"{provider_id}:{wire}", model["limit"], model.get("cost")
    flags = (model.get("structured_output"), model.get("temperature"), model.get("knowledge"))
    db.execute(
        "INSERT INTO models VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            *(full, provider_id, wire, model["name"], model.get("family")),
            *(model.get("reasoning", False), model.get("tool_call", False), *flags, model.get("open_weights", False)),
            *(limit["context"], limit.get("input"), limit["output"], None, model.get("provider", {}).get("api")),
        ),
    )
    for direction, kinds in model["modalities"].items():
        for position, kind in enumerate(kinds):
            db.execute("INSERT INTO model_modalities VALUES (?,?,?,?)", (full, direction, position, kind))
    rows = [] if cost is None else [(None, 0, cost), ("fast", 0, {"input": 50, "output": 60})]
    if cost and "context_over_200k" in cost:
        rows.append((None, 200000, cost["context_over_200k"]))
    for mode, above, listed in rows:
        db.execute(
            "INSERT INTO pricing VALUES (?,?,?,?,?,?,?,?,?,?)",
            (full, mode, above, listed["input"], listed["output"], None, listed.get("cache_read"), None, None, None),
        )
