"""What all tests share: one repeatable way to run property tests, and the optional folder of conformance vectors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same few examples at every run; `--hypothesis-profile=thorough` looks further, differently each time.
settings.register_profile("quick", derandomize=True, deadline=None, max_examples=50, database=None)
settings.register_profile("thorough", deadline=None, max_examples=5000, database=None)
settings.load_profile("quick")

# Runners of tests say how wide their own terminal is; what is tested here has none.
os.environ.pop("COLUMNS", None)

_REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def conformance_folder() -> Path:
    """The published conformance vectors; a test that wants them is skipped where they are not."""
    named = os.environ.get("TENANTRANK_CONFORMANCE")
    folder = Path(named) if named else _REPOSITORY.parent / "shared" / "conformance"
    if not folder.is_dir():
        pytest.skip(f"no conformance vectors at {folder}: name their folder in TENANTRANK_CONFORMANCE")
    return folder
