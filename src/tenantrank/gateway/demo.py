"""A gateway to try without an account: the bundled catalog and sample rules, with providers that are simulated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tenantrank.errors import InputError
from tenantrank.gateway.settings import Settings, settings_of
from tenantrank.testing import MockProvider, Pace, simulated

PACES: Mapping[str, Pace] = MappingProxyType(
    {
        "openai": Pace(0.35, 90.0),
        "anthropic": Pace(0.5, 70.0),
        "mistral": Pace(0.3, 110.0),
        "groq": Pace(0.1, 300.0, fault_rate=0.2),
        "deepinfra": Pace(0.4, 60.0),
        "azure": Pace(0.45, 80.0),
        "azure.eu": Pace(0.5, 75.0),
    }
)
"""The simulated providers; a dot stands before the region of a further endpoint. One of them fails now and then."""
_KEY = "os.environ/TENANTRANK_DEMO_KEY"
ENVIRON: Mapping[str, str] = MappingProxyType({"TENANTRANK_DEMO_KEY": "not-a-key"})
"""What stands in the environment's place: nothing of it is read."""


@asynccontextmanager
async def demo_settings(listen: str, operator_listen: str) -> AsyncIterator[tuple[Settings, MockProvider]]:
    """Start the simulated providers, and give the configuration that calls them.

    Raises
    ------
    InputError
        where the sample rules are not there, as in a package that was cut down
    """
    folder = sample_folder()
    async with simulated(PACES) as mock:
        providers: dict[str, dict[str, Any]] = {}
        for name in PACES:
            provider, _, region = name.partition(".")
            address = {"base_url": mock.url_of(name), "key": _KEY}
            if region:
                providers[provider].setdefault("endpoints", {})[region] = address
            else:
                # The sample's own kind, so that what a provider's interface lacks is left out here too.
                providers[provider] = address
        yield (
            settings_of(
                {
                    "server": {"listen": listen, "operator_listen": operator_listen, "without_keys": True},
                    "catalog": {"overlay": str(folder / "overlay.example.yaml")},
                    "rulebook": str(folder / "rules.yaml"),
                    "providers": providers,
                }
            ),
            mock,
        )


def sample_folder() -> Path:
    """Give the folder with the sample rules and overlay: of the installed package, else of the repository."""
    installed = Path(str(files("tenantrank"))) / "_data"
    for folder in (installed, Path(__file__).resolve().parents[3] / "data"):
        if (folder / "rules.yaml").is_file():
            return folder
    raise InputError("the sample rules are not part of this installation")
