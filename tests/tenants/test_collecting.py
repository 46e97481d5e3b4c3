"""The collector of cycles is held back for a block, and never changed beyond it."""

import gc

import pytest

from tenantrank.tenants.collecting import collection_paused


@pytest.fixture(autouse=True)
def _collector_as_before():
    was_on = gc.isenabled()
    yield
    gc.unfreeze()
    (gc.enable if was_on else gc.disable)()


def test_pause__ends_with_the_block_however_it_ends():
    gc.enable()
    with collection_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), collection_paused():
        raise KeyError
    assert gc.isenabled()


def test_pause__inside_another_does_not_end_it():
    gc.enable()
    with collection_paused():
        with collection_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_pause__leaves_a_collector_off_that_was_off():
    gc.disable()
    with collection_paused():
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_pause__counts_what_was_made_as_looked_through():
    gc.enable()
    with collection_paused():
        made = [[place] for place in range(10_000)]
    assert sum(any(one is made for one in gc.get_objects(generation)) for generation in (0, 1)) == 0
    assert any(one is made for one in gc.get_objects(2))
    assert gc.get_freeze_count() == 0


def test_pause__thaws_nothing_that_the_application_froze():
    gc.enable()
    gc.freeze()
    frozen = gc.get_freeze_count()
    with collection_paused():
        pass
    assert gc.get_freeze_count() > frozen // 2  # what is freed is frozen no more
    assert gc.isenabled()
