"""The state of a running gateway: the generation in use, what its traffic has shown, and taking a new generation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tenantrank.catalog.health import Health
from tenantrank.engine import warm
from tenantrank.errors import InputError, TenantrankError
from tenantrank.gateway.generation import ANYBODY, Generation, make_generation
from tenantrank.gateway.guard import Guards
from tenantrank.gateway.live import Live
from tenantrank.gateway.logs import Log
from tenantrank.gateway.metrics import Metrics
from tenantrank.gateway.options import ROUTES
from tenantrank.gateway.settings import Settings, address_of, is_loopback, load_settings
from tenantrank.policy.failover import Target
from tenantrank.policy.policy import admit

TAKEN, UNCHANGED, REFUSED = "taken", "unchanged", "refused"
"""How a reload ended."""

_TRIVIAL = '["policy",["meets_req"],["field","price_out"],["argmax"],["id"],["always",{"action":"abort"}]]'

Stamp = Mapping[Path, tuple[int, int]]
_NO_FILES: Stamp = MappingProxyType({})


class State:
    """What all calls of one gateway share.

    Parameters
    ----------
    settings, folder
        the configuration, and the folder that its paths begin at
    environ
        where references to keys are looked up
    wall, now_ms
        the moment in UTC, and a clock that never goes back, in milliseconds
    metrics, log
        told of reloads
    path
        the file that the configuration was read from, which a reload reads again; ``None`` where it is no file

    Attributes
    ----------
    now : the generation in use; one reference, replaced as a whole
    ready : whether calls are taken; ending : set once the process ends
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        environ: Mapping[str, str],
        wall: Callable[[], datetime],
        now_ms: Callable[[], float],
        metrics: Metrics,
        log: Log,
        path: Path | None = None,
    ) -> None:
        self.settings = settings
        self.live = Live(settings.live)
        self.guards = Guards(self._credential_of, settings.breakers, settings.limits.limits())
        self.metrics = metrics
        self.log = log
        self.wall = wall
        self.now_ms = now_ms
        self.ready = False
        self._folder = folder
        self._environ = environ
        self._path = path
        self._lock = asyncio.Lock()
        self._number = 1
        self._listen = address_of(settings.server.listen)[0]
        self._stamp = self._files(settings)
        self._day = wall().date()
        self.now = self._made(settings)
        self.ending = asyncio.Event()

    def start(self) -> None:
        """Make ready for the first call: compile or load the kernels, and lay the catalog out."""
        warm()
        _prime(self.now)
        self.metrics.catalog(self.now.number, len(self.now.catalog))
        for warning in (*self.now.warnings, *self.now.left_out):
            self.log.event("warning", text=warning)
        self.ready = True

    def health(self) -> Health:
        """Give the live state of now."""
        now_ms = self.now_ms()
        return self.live.health(now_ms, _Lazily(self.guards, now_ms))

    def lapsed(self, moment: datetime) -> bool:
        """Say whether the catalog may no longer be used: an attestation that it rests on has ended."""
        until = self.now.holds_until
        return until is not None and self.settings.catalog.as_of is None and moment.date() > until

    async def reload(self, *, force: bool = False, changed_only: bool = False) -> str:
        """Read the configuration and all it names again, and take it if it can be used; calls go on meanwhile.

        Parameters
        ----------
        force
            take also a catalog that leaves far fewer offers
        changed_only
            do nothing where no file and no day has changed

        Returns
        -------
        `TAKEN` or `UNCHANGED`

        Raises
        ------
        TenantrankError
            why the new one is refused; the old one stays in use
        """
        async with self._lock:
            day = self.wall().date()
            if changed_only and day == self._day and self._stamp == {path: _stamp(path) for path in self._stamp}:
                return UNCHANGED
            # Tried once: what is refused is not tried again until something changes.
            self._day = day
            try:
                settings, made = await asyncio.get_running_loop().run_in_executor(None, self._remade)
                if not force:
                    self._check_share(made)
            except TenantrankError as error:
                self.metrics.reloaded(REFUSED)
                self.log.event("reload_refused", reason=str(error))
                raise
            self._number = made.number
            if (settings.breakers, settings.limits) != (self.settings.breakers, self.settings.limits):
                # Under other rules, what was counted means something else; calls under way keep the old ones.
                self.guards = Guards(self._credential_of, settings.breakers, made.limits)
            self.settings, self.now = settings, made
        self.metrics.reloaded(TAKEN)
        self.metrics.catalog(made.number, len(made.catalog))
        self.log.event("reloaded", catalog=made.catalog.catalog_id, offers=len(made.catalog), generation=made.number)
        for warning in (*made.warnings, *made.left_out):
            self.log.event("warning", text=warning)
        return TAKEN

    async def watch(self) -> None:
        """Look for changed files and for a new day, until `stop`."""
        every = self.settings.watch_s
        while every > 0 and not self.ending.is_set():
            try:
                async with asyncio.timeout(every):
                    await self.ending.wait()
            except TimeoutError:
                # What is refused was told by the log and the metrics; the old generation stays.
                with suppress(TenantrankError):
                    await self.reload(changed_only=True)

    def stop(self) -> None:
        """End `watch`, and take no more calls."""
        self.ready = False
        self.ending.set()

    def _remade(self) -> tuple[Settings, Generation]:
        # Each file is looked at before it is read, so that no later change of it is missed. Those that the new
        # configuration names count also where it is refused, since one of them may be what has to be put right.
        self._stamp = {path: _stamp(path) for path in self._stamp}
        settings = self.settings if self._path is None else load_settings(self._path)
        self._stamp = self._files(settings, self._stamp)
        made = self._made(settings, self._number + 1)
        self._check_keys(made)
        _prime(made)
        return settings, made

    def _made(self, settings: Settings, number: int = 1) -> Generation:
        today: date = self.wall().date()
        return make_generation(settings, self._folder, self._environ, today, self.health, number)

    def _check_share(self, made: Generation) -> None:
        keep = self.settings.catalog.keep
        for route in ROUTES:
            before, after = len(self.now.reaches[route]), len(made.reaches[route])
            if after < keep * before:
                raise InputError(
                    f"of {before} offers that can be called for {route}, {after} would be left, less than the share "
                    f"catalog.keep of {keep:g}; reload with force=true if that is meant"
                )

    def _check_keys(self, made: Generation) -> None:
        # The address that a file names now is not the one at which the process has listened since its start.
        if made.keys is None and not is_loopback(self._listen):
            raise InputError("keys: without keys anybody would be let in at the address where this process listens")

    def _files(self, settings: Settings, known: Stamp = _NO_FILES) -> Stamp:
        """Give what tells whether a file that a configuration names was written."""
        given = settings.catalog
        named = (given.file, given.overlay, settings.rulebook, settings.tenants)
        paths = [self._folder / name for name in named if name is not None]
        if self._path is not None:
            paths.insert(0, self._path)
        return {path: known.get(path) or _stamp(path) for path in paths}

    def _credential_of(self, target: Target) -> str:
        for reaches in self.now.reaches.values():
            reach = reaches.get(target.offer_id)
            if reach is not None:
                return reach.endpoint.credential
        return ""


class _Lazily(Iterable[str]):
    """The providers whose breaker is open, found when somebody asks: with each call hardly ever."""

    def __init__(self, guards: Guards, now_ms: float) -> None:
        self._guards = guards
        self._now_ms = now_ms

    def __iter__(self) -> Any:
        return iter(self._guards.shared.open_providers(self._now_ms))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return 0, -1
    return state.st_mtime_ns, state.st_size


def _prime(made: Generation) -> None:
    """Rank once for each route, so that the first call does not wait for columns and orders."""
    for route in ROUTES:
        made.engine_of(ANYBODY, route, Health()).rank(admit(_TRIVIAL, made.fields), k=1)
