"""The two sides that `tenantrank diff` compares: what the options name, the one after taking over what it does not."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenantrank.catalog import Catalog
from tenantrank.cli.inputs import blaming, day, make_engine, note_unknown
from tenantrank.cli.output import note, waiting
from tenantrank.engine import Engine
from tenantrank.errors import InputError
from tenantrank.tenants import Fleet, Rulebook, read_tenants
from tenantrank.tenants.nearest import hint

NOTHING = "none"
"""What is given for a file that a side does without; a file of this name is ``./none``."""
BUNDLED = "bundled"
"""What is given for the bundled snapshot; a file of this name is ``./bundled``."""


@dataclass(frozen=True)
class Given:
    """What the options name: a file for each part of a side, ``None`` where none is given."""

    tenants: Path | None
    rulebook: Path | None
    catalog: Path | None
    overlay: Path | None
    health: Path | None
    envelope: Path | None
    as_of: str | None

    def after(self, changed: Given) -> Given:
        """Give the side after: what is changed, else what this side has."""
        return Given(*(self._of(changed, name) for name in self.parts))

    def _of(self, changed: Given, name: str) -> Any:
        own, other = getattr(self, name), getattr(changed, name)
        return own if other is None else other

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts."""
        return tuple(self.__dataclass_fields__)

    @property
    def files(self) -> list[Path]:
        """The files among them."""
        paths = (self.tenants, self.rulebook, self.catalog, self.overlay, self.health, self.envelope)
        return [path for path in paths if path is not None and str(path) not in (NOTHING, BUNDLED)]


@dataclass(frozen=True)
class Loaded:
    """A side: the engine, the rulebook bound to its catalog, the compiled tenants."""

    engine: Engine
    rulebook: Rulebook
    fleet: Fleet


@dataclass(frozen=True)
class Remarks:
    """What is to be said of what was read: warnings of either side, columns of tenants that no rule uses, and names in
    policies of the side after that no offer there has, each with the nearest.
    """

    warnings: list[str]
    ignored: list[str]
    unknown_names: dict[str, str]

    def say(self) -> None:
        """Say it on stderr."""
        for warning in self.warnings:
            note(f"warning: {warning}")
        if self.ignored:
            note(f"columns that no rule uses: {', '.join(self.ignored)}")
        note_unknown(self.unknown_names)


def load_sides(before: Given, after: Given, changed: Given, without: Sequence[str]) -> tuple[Loaded, Loaded, Remarks]:
    """Load both sides, with what there is to say of them; what they share is read once.

    Parameters
    ----------
    before, after
        the sides
    changed
        the options of the side after alone
    without
        providers that the side after does without
    """
    old_catalog = _catalog(before)
    same_catalog = (before.catalog, before.overlay, before.as_of) == (after.catalog, after.overlay, after.as_of)
    new_catalog = old_catalog if same_catalog else _catalog(after)
    old_engine = make_engine(old_catalog, _file(before.health), _file(before.envelope))
    if same_catalog and changed.health is None and changed.envelope is None:
        new_engine = old_engine
    else:
        new_engine = make_engine(new_catalog, _file(changed.health), _file(changed.envelope))
        # What is taken over was read already, perhaps from standard input.
        if changed.health is None:
            new_engine = new_engine.with_health(old_engine.health)
        if changed.envelope is None and old_engine.envelope is not None:
            with blaming("--envelope", before.envelope, "with the catalog after"):
                new_engine = new_engine.narrowed(old_engine.envelope)
    for provider in without:
        new_engine = _without(new_engine, provider)
    old_rules = _rulebook(before)
    new_rules = old_rules if before.rulebook == after.rulebook else _rulebook(after)
    old = _compiled(before, old_engine, old_rules)
    if same_catalog and new_rules is old_rules and before.tenants == after.tenants:
        new = Loaded(new_engine, old.rulebook, old.fleet)
    else:
        # Rules that were good before are not what is wrong.
        with nullcontext() if same_catalog or new_rules is not old_rules else blaming("with the catalog after"):
            new = _compiled(after, new_engine, new_rules)
    told = (*old_catalog.warnings, *new_catalog.warnings, *old.rulebook.warnings, *new.rulebook.warnings)
    remarks = Remarks(
        list(dict.fromkeys(told)),
        list(dict.fromkeys((*old.fleet.ignored, *new.fleet.ignored))),
        new.engine.unknown_names(new.fleet.by_identity()[0]),
    )
    return old, new, remarks


def difference(before: Given, after: Given, without: Sequence[str]) -> list[tuple[str, str, str]]:
    """Say what differs: what it is, the one before and the one after."""
    shown = [(name, *(_shown(name, getattr(side, name)) for side in (before, after))) for name in before.parts]
    said = [(name.replace("as_of", "day"), one, other) for name, one, other in shown if one != other]
    return said + [("provider", name, "left out") for name in without]


def _shown(name: str, value: object) -> str:
    if value is None:
        return BUNDLED if name == "catalog" else NOTHING
    return str(value)


def _file(path: Path | None) -> Path | None:
    return None if path is None or str(path) == NOTHING else path


def _catalog(side: Given) -> Catalog:
    today, path, overlay = day(side.as_of), side.catalog, _file(side.overlay)
    catalog = Catalog.bundled(today) if path is None or str(path) == BUNDLED else Catalog.load(path, as_of=today)
    return catalog if overlay is None else catalog.with_overlay(overlay, today)


def _rulebook(side: Given) -> Rulebook:
    assert side.rulebook is not None  # the side before has one
    return Rulebook.load(side.rulebook)


def _compiled(side: Given, engine: Engine, rules: Rulebook) -> Loaded:
    assert side.tenants is not None  # likewise
    bound = rules.bind(engine.catalog.fields)
    rows = read_tenants(side.tenants)
    with waiting("compiling"), blaming(side.tenants):
        return Loaded(engine, bound, bound.compile_many(rows))


def _without(engine: Engine, provider: str) -> Engine:
    known = engine.catalog.strings("provider_id")[1]
    if provider not in known:
        raise InputError(f"--without-provider: no offer of provider {provider!r}{hint(provider, known)}")
    return engine.narrowed(["not", ["provider_eq", provider]])
