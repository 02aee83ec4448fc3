import gc
from collections.abc import Iterator

import pytest

from roadgraph.startup import imported_for_good, uncollected


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_meanwhile() -> None:
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()


def test_an_import_that_fails_leaves_the_collector_on() -> None:
    with pytest.raises(ImportError), imported_for_good():
        raise ImportError
    assert gc.isenabled()


def test_what_was_imported_for_good_is_never_looked_through_again() -> None:
    before = gc.get_freeze_count()
    with imported_for_good():
        assert not gc.isenabled()
        kept = [[place] for place in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(kept)
