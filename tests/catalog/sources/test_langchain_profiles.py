from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tenantrank.catalog.sources.langchain_profiles import load
from tenantrank.catalog.sources.reading import Where
from tenantrank.errors import CatalogError
from tests.catalog.sources.samples import PROFILES, profiles_wheel, wheel

TODAY = date(2026, 11, 23)


def test_load__reads_a_package(tmp_path: Path) -> None:
    table = load(Where(str(profiles_wheel(tmp_path)), date(2026, 11, 4)), read_on=TODAY)
    assert table.info.origin == "langchain-openai@1.0"
    assert [offer.key for offer in table.offers] == [("openai", "gpt-9", ""), ("openai", "gpt-9-nano", "")]
    assert table.left_out == {"no text output": 1}
    assert table.offers[0].values == {
        "model_name": "GPT 9",
        "max_input": 272000,
        "max_output": 128000,
        "context": 272000,
        "supports_tools": True,
        "supports_reasoning": True,
        "supports_vision": True,
        "supports_audio_in": False,
        "open_weights": False,
        "release_date": date(2030, 1, 3),
    }
    assert table.offers[0].notes == {"context": "max_input_tokens"}


def test_load__knows_the_packages_that_do_not_name_their_provider(tmp_path: Path) -> None:
    file = wheel(tmp_path, "langchain_groq", "1", {"langchain_groq/data/_profiles.py": PROFILES})
    assert {offer.provider_id for offer in load(Where(str(file)), read_on=TODAY).offers} == {"groq"}


def test_load__refuses_profiles_of_nobody(tmp_path: Path) -> None:
    file = wheel(tmp_path, "langchain_acme", "1", {"langchain_acme/data/_profiles.py": PROFILES})
    with pytest.raises(CatalogError, match="whose models"):
        load(Where(str(file)), read_on=TODAY)


@pytest.mark.parametrize("content", [PROFILES[:-30], "x = 1", "_PROFILES: dict = {'a': print('was run')}"])
def test_load__refuses_what_is_not_a_whole_literal(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = wheel(tmp_path, "langchain_groq", "1", {"langchain_groq/data/_profiles.py": content})
    with pytest.raises(CatalogError):
        load(Where(str(file)), read_on=TODAY)
    assert capsys.readouterr().out == ""
