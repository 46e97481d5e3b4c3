from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tenantrank.errors import TenantrankError
from tenantrank.gateway.logs import Log
from tenantrank.gateway.metrics import Metrics
from tenantrank.gateway.settings import load_settings
from tenantrank.gateway.state import TAKEN, UNCHANGED, State
from tests.gateway.test_generation import URLS
from tests.gateway.worlds import ENVIRON, OFFERS, file_of, key_entry, write_catalog, write_files

OVERLAY = (
    "attestations:\n  - match: {provider_id: gamma}\n    set: {no_log: true}\n    contract: C-1\n"
    "    verified_at: 2026-01-01\n    valid_until: 2026-03-31\n"
)


class Place:
    """A state with its file, and clocks that stand still."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        self.folder = folder
        self.path = folder / "gateway.json"
        write_files(folder)
        (folder / "overlay.yaml").write_text(OVERLAY)
        self.moment = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
        self.now_ms = 0.0
        self.lines = io.StringIO()
        self.metrics = Metrics()
        self.write(**sections)
        settings = load_settings(self.path)
        self.state = State(
            settings,
            folder,
            ENVIRON,
            lambda: self.moment,
            lambda: self.now_ms,
            self.metrics,
            Log(self.lines),
            self.path,
        )

    def write(self, **sections: Any) -> None:
        self.path.write_text(json.dumps(file_of(URLS, **sections)))
        self.touch(self.path)

    def touch(self, path: Path) -> None:
        """Give a file a time of its own, as clocks of file systems are coarse."""
        self.now_ms += 1.0
        os.utime(path, ns=(0, round(self.now_ms * 1e6)))

    def reload(self, **options: Any) -> str:
        return asyncio.run(self.state.reload(**options))

    def refused(self, **options: Any) -> str:
        before = self.state.now, self.state.settings
        with pytest.raises(TenantrankError) as caught:
            self.reload(**options)
        assert (self.state.now, self.state.settings) == before
        assert "reload_refused" in self.lines.getvalue()
        assert 'tenantrank_catalog_reloads_total{outcome="refused"} 1.0' in self.metrics.render().decode()
        return str(caught.value)

    @property
    def chat(self) -> set[str]:
        return set(self.state.now.reaches["chat"])


def test_state__is_ready_only_after_start(tmp_path: Path) -> None:
    state = Place(tmp_path).state

    assert not state.ready
    state.start()
    assert state.ready
    state.stop()
    assert not state.ready


def test_start__tells_of_what_was_left_out(tmp_path: Path) -> None:
    place = Place(tmp_path, rulebook="rules.yaml", tenants="tenants.csv")
    place.state.start()

    assert "broken" in place.lines.getvalue()
    assert "tenantrank_catalog_generation 1.0" in place.metrics.render().decode()


def test_reload__takes_a_new_generation_as_a_whole(tmp_path: Path) -> None:
    place = Place(tmp_path)
    before = place.state.now
    write_catalog(tmp_path, [each for each in OFFERS if each["id"] in ("alpha", "beta", "embed")])
    place.write(limits={"attempts": 2})

    assert place.reload() == TAKEN
    assert place.state.now is not before
    assert place.state.now.number == 2
    assert place.chat == {"alpha", "beta"}
    assert place.state.now.limits.attempts == 2
    assert set(before.reaches["chat"]) == {"alpha", "beta", "gamma", "eu"}
    assert before.limits.attempts == 6
    assert 'tenantrank_catalog_reloads_total{outcome="taken"} 1.0' in place.metrics.render().decode()
    assert '"event":"reloaded"' in place.lines.getvalue()


@pytest.mark.parametrize(
    "sections",
    [
        {"envelope": ["is", "nonsense"]},
        {"catalog": {"file": "missing.json"}},
        {"rulebook": "gateway.json"},
        {"keys": [key_entry("app", envelope=["nonsense"])]},
        {"servers": {}},
    ],
)
def test_reload__what_cannot_be_used_leaves_the_old_one(tmp_path: Path, sections: dict[str, Any]) -> None:
    place = Place(tmp_path)
    place.write(**sections)

    assert place.refused()
    assert place.state.now.number == 1
    place.write()
    assert place.reload() == TAKEN
    assert place.state.now.number == 2


def test_reload__a_file_that_is_no_longer_there_or_half_written_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.path.write_text(place.path.read_text()[:40])

    assert "gateway.json" in place.refused()


def test_reload__a_catalog_that_leaves_too_little_has_to_be_forced(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_catalog(tmp_path, [each for each in OFFERS if each["id"] in ("alpha", "embed")])

    assert "of 4 offers that can be called for chat, 1 would be left" in place.refused()
    assert place.chat == {"alpha", "beta", "gamma", "eu"}
    assert place.reload(force=True) == TAKEN
    assert place.chat == {"alpha"}


def test_reload__the_share_that_has_to_be_kept_is_a_setting(tmp_path: Path) -> None:
    place = Place(tmp_path, catalog={"file": "catalog.json", "keep": 0})
    write_catalog(tmp_path, [each for each in OFFERS if each["id"] in ("alpha", "embed")])

    assert place.reload() == TAKEN


def test_reload__each_route_has_to_keep_its_share(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_catalog(tmp_path, [each for each in OFFERS if each["id"] != "embed"])

    assert "embeddings" in place.refused()


def test_reload__changed_only_looks_at_every_file_that_is_named(tmp_path: Path) -> None:
    place = Place(
        tmp_path,
        rulebook="rules.yaml",
        tenants="tenants.csv",
        catalog={"file": "catalog.json", "overlay": "overlay.yaml"},
    )
    assert place.reload(changed_only=True) == UNCHANGED
    for name in ("gateway.json", "catalog.json", "overlay.yaml", "rules.yaml", "tenants.csv"):
        place.touch(tmp_path / name)
        assert place.reload(changed_only=True) == TAKEN, name
        assert place.reload(changed_only=True) == UNCHANGED, name


def test_reload__what_was_refused_is_tried_again_once_a_file_has_changed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "catalog.json").write_text("{")
    place.touch(tmp_path / "catalog.json")
    place.refused(changed_only=True)

    assert place.reload(changed_only=True) == UNCHANGED
    write_catalog(tmp_path, OFFERS)
    place.touch(tmp_path / "catalog.json")
    assert place.reload(changed_only=True) == TAKEN


def test_reload__a_file_that_only_the_refused_configuration_names_counts_too(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write(catalog={"file": "other.json"})
    place.refused(changed_only=True)
    (tmp_path / "catalog.json").rename(tmp_path / "other.json")

    assert place.reload(changed_only=True) == TAKEN


def test_reload__a_configuration_that_names_another_file_is_taken_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "other.json").write_text((tmp_path / "catalog.json").read_text())
    place.write(catalog={"file": "other.json"})

    assert place.reload(changed_only=True) == TAKEN
    assert place.reload(changed_only=True) == UNCHANGED
    place.touch(tmp_path / "other.json")
    assert place.reload(changed_only=True) == TAKEN


def test_reload__a_new_day_is_a_change(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.moment += timedelta(seconds=1)

    assert place.reload(changed_only=True) == TAKEN
    assert place.reload(changed_only=True) == UNCHANGED


def test_lapsed__at_midnight_until_the_catalog_was_made_for_the_new_day(tmp_path: Path) -> None:
    place = Place(tmp_path, catalog={"file": "catalog.json", "overlay": "overlay.yaml"})
    state = place.state

    assert not state.lapsed(place.moment)
    place.moment += timedelta(seconds=1)
    assert state.lapsed(place.moment)
    place.reload(changed_only=True)
    assert not state.lapsed(place.moment)
    assert state.now.holds_until is None


def test_lapsed__never_where_the_file_says_the_day(tmp_path: Path) -> None:
    place = Place(tmp_path, catalog={"file": "catalog.json", "overlay": "overlay.yaml", "as_of": "2026-03-01"})

    assert not place.state.lapsed(place.moment + timedelta(days=365))


def test_reload__keys_are_not_dropped_where_strangers_reach_the_listener(tmp_path: Path) -> None:
    keys = [key_entry("app")]
    place = Place(tmp_path, keys=keys, server={"listen": "0.0.0.0:0"})
    place.write()  # on paper it would listen on this machine alone now

    assert "keys" in place.refused()
    assert place.state.now.keys is not None


def test_reload__a_breaker_stays_open_and_new_rules_for_breakers_count(tmp_path: Path) -> None:
    place = Place(tmp_path)
    before = place.state.guards
    place.reload()
    assert place.state.guards is before
    place.write(breakers={"threshold": 7})
    place.reload()
    assert place.state.guards is not before


def test_reload__many_at_once_come_one_after_another(tmp_path: Path) -> None:
    place = Place(tmp_path)

    async def many() -> list[str]:
        return list(await asyncio.gather(*(place.state.reload() for _ in range(3))))

    assert asyncio.run(many()) == [TAKEN] * 3
    assert place.state.now.number == 4


def watched(place: Place, change: Callable[[], None], until: Callable[[], bool]) -> None:
    async def run() -> None:
        watching = asyncio.create_task(place.state.watch())
        await asyncio.sleep(0.05)
        change()
        async with asyncio.timeout(5):
            while not until():
                await asyncio.sleep(0.01)
        place.state.stop()
        async with asyncio.timeout(1):
            await watching

    asyncio.run(run())


def test_watch__takes_a_changed_file_and_survives_a_broken_one(tmp_path: Path) -> None:
    place = Place(tmp_path, watch_s=0.02)

    def broken() -> None:
        place.path.write_text("{")
        place.touch(place.path)

    watched(place, broken, lambda: "reload_refused" in place.lines.getvalue())
    place = Place(tmp_path, watch_s=0.02)
    watched(place, lambda: place.write(watch_s=0.02, limits={"attempts": 3}), lambda: place.state.now.number == 2)
    assert place.state.now.limits.attempts == 3


def test_watch__zero_never_looks(tmp_path: Path) -> None:
    async def run() -> None:
        async with asyncio.timeout(1):
            await Place(tmp_path).state.watch()

    asyncio.run(run())


def test_reload__nothing_of_a_key_is_told(tmp_path: Path) -> None:
    place = Place(tmp_path)
    file = file_of(URLS)
    file["providers"]["alpha"]["key"] = "sk-literal-canary-3fa"
    place.path.write_text(json.dumps(file))

    assert "sk-literal-canary-3fa" not in place.refused()
    assert "sk-literal-canary-3fa" not in place.lines.getvalue()


def test_health__is_that_of_the_traffic_and_the_breakers(tmp_path: Path) -> None:
    place = Place(tmp_path, live={"least": 1, "refresh_s": 0})
    state = place.state
    target = state.now.reaches["chat"]["alpha"].target

    for _ in range(3):
        state.live.observe(target, 0.0, None, 120.0)
    assert state.health().ema["alpha|m-1"]["ema_latency_ms"] == 120.0
    assert state.guards.credential_of(target) == "alpha/KEY_ALPHA"
    assert state.guards.credential_of(target._replace(offer_id="gone")) == ""
