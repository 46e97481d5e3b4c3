"""Importer of the model profiles inside the langchain partner packages (``<package>/data/_profiles.py``, MIT).

Each package holds one provider's models, derived from models.dev at the package's own release. The file is parsed as a
literal, never run. It states capabilities both ways and release dates, but no prices.
"""

from __future__ import annotations

import ast
import re
import tomllib
from datetime import date
from pathlib import PurePosixPath
from typing import Any

from tenantrank.catalog.sources.identity import is_text_model, provider_of
from tenantrank.catalog.sources.offers import SourceInfo, SourceOffer, SourceTable, dated
from tenantrank.catalog.sources.reading import Fetch, Where, read
from tenantrank.errors import CatalogError

NAME = "langchain"
LICENCE = "MIT"
PACKAGES = (
    "langchain-anthropic",
    "langchain-aws",
    "langchain-deepseek",
    "langchain-fireworks",
    "langchain-google-genai",
    "langchain-google-vertexai",
    "langchain-groq",
    "langchain-huggingface",
    "langchain-mistralai",
    "langchain-nvidia-ai-endpoints",
    "langchain-openai",
    "langchain-openrouter",
    "langchain-perplexity",
    "langchain-xai",
)
"""The partner packages that hold profiles."""

# Packages that carry no corrections file, where the others name their provider.
_PROVIDER_OF_FOLDER = {"langchain_groq": "groq", "langchain_mistralai": "mistral"}
_FLAGS = {
    "supports_tools": "tool_calling",
    "supports_tool_choice": "tool_choice",
    "supports_structured_output": "structured_output",
    "supports_reasoning": "reasoning_output",
    "supports_temperature": "temperature",
    "supports_vision": "image_inputs",
    "supports_audio_in": "audio_inputs",
    "supports_audio_out": "audio_outputs",
    "supports_video_in": "video_inputs",
    "supports_pdf_in": "pdf_inputs",
    "open_weights": "open_weights",
}


def load(where: Where, package: str = "", *, read_on: date, fetch: Fetch | None = None) -> SourceTable:
    """Read one partner package's profiles.

    Parameters
    ----------
    package
        name of the distribution, used where the location is ``"package"``

    Raises
    ------
    CatalogError
        where the source cannot be read, is not a literal table, or does not say whose models it lists
    """
    document = read(where, package, ("data/_profiles.py", "data/profile_augmentations.toml"), fetch)
    members = {PurePosixPath(path).name: (path, content) for path, content in document.members}
    if "_profiles.py" not in members:
        raise CatalogError(f"source {document.package}: holds no data/_profiles.py")
    path, content = members["_profiles.py"]
    provider = _provider(path, members.get("profile_augmentations.toml", ("", b""))[1])
    profiles = _literal(path, content)
    as_of, dated_by = dated(None, where.as_of, read_on)
    table = SourceTable(SourceInfo(NAME, document.origin, as_of, dated_by, LICENCE))
    for wire, profile in profiles.items():
        if profile.get("text_outputs") is False or not is_text_model(wire):
            table.left_out["no text output"] += 1
        else:
            table.add(_offer(provider, wire, profile))
    return table


def _provider(path: str, augmentations: bytes) -> str:
    try:
        stated = tomllib.loads(augmentations.decode()).get("provider")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        stated = None
    folder = next((part for part in PurePosixPath(path).parts if part.startswith("langchain_")), "")
    name = stated if isinstance(stated, str) else _PROVIDER_OF_FOLDER.get(folder)
    if name is None:
        raise CatalogError(f"source {path}: does not say whose models it lists")
    return provider_of(name)


def _literal(path: str, content: bytes) -> dict[str, dict[str, Any]]:
    try:
        body = ast.parse(content).body
        for statement in body:
            target = statement.target if isinstance(statement, ast.AnnAssign) else None
            if isinstance(target, ast.Name) and target.id == "_PROFILES" and isinstance(statement, ast.AnnAssign):
                found = ast.literal_eval(statement.value) if statement.value is not None else None
                if isinstance(found, dict):
                    return {str(name): profile for name, profile in found.items() if isinstance(profile, dict)}
    except (SyntaxError, ValueError) as error:
        raise CatalogError(f"source {path}: is not a whole literal table ({error})") from error
    raise CatalogError(f"source {path}: holds no table _PROFILES")


def _offer(provider: str, wire: str, profile: dict[str, Any]) -> SourceOffer:
    offer = SourceOffer(provider, wire)
    values = offer.values
    for column, name in (("model_name", "name"), ("status", "status")):
        if isinstance(profile.get(name), str) and profile[name]:
            values[column] = profile[name]
    for column, name in (("max_input", "max_input_tokens"), ("max_output", "max_output_tokens")):
        if isinstance(profile.get(name), int) and profile[name] > 0:
            values[column] = profile[name]
    if "max_input" in values:
        values["context"] = values["max_input"]
        offer.notes["context"] = "max_input_tokens"
    for column, name in _FLAGS.items():
        if isinstance(profile.get(name), bool):
            values[column] = profile[name]
    for column in ("release_date", "last_updated"):
        stated = profile.get(column)
        if isinstance(stated, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", stated):
            values[column] = date.fromisoformat(stated)
    return offer
