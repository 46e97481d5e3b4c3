"""Python's collector of reference cycles, held back while a great many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the collector of cycles for a block, in the whole process, and spare it what the block has made.

    As objects grow in number the collector goes through all of them again and again, which takes longer than to make
    them. It is safe to do without it in a block that leaves no cycles behind: all else is freed as ever, as soon as
    nothing refers to it. Cycles that other threads leave meanwhile wait for a collection of the oldest generation.

    A collector that was off stays off. Where blocks overlap in threads, it is on again at the latest after the last.
    """
    if not gc.isenabled():
        yield
        return
    gc.collect(1)
    gc.disable()
    try:
        yield
    finally:
        # Thawing moves all that is frozen to the oldest generation, where it counts as looked through; but not where
        # the application has frozen objects of its own, which would thaw too.
        if gc.get_freeze_count() == 0:
            gc.freeze()
            gc.unfreeze()
        gc.enable()
