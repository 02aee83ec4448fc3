from pathlib import Path

from roadgraph.tracking.overview import Tracking, tracking_of
from roadgraph.tracking.record import Sent, digest_of, write_sent
from tests.tracking.toy import store_of, toy_workspace
from tests.tracking.toy_records import toy_record, write_toy


def test_what_a_store_has_and_what_waits_is_told(tmp_path: Path, empty_store: Path) -> None:
    store = store_of(toy_workspace(tmp_path, empty_store))
    done, waits, runs, elsewhere = (
        write_toy(toy_record("done"), tmp_path, store),
        write_toy(toy_record("waits", status="FAILED"), tmp_path, store),
        write_toy(toy_record("runs", status="RUNNING"), tmp_path, store),
        write_toy(toy_record("elsewhere"), tmp_path),
    )
    write_sent(store.name, Sent("r", "1", digest_of(done, "record.json")), done)
    write_sent("http://other", Sent(), elsewhere)
    write_sent("http://other", Sent(), waits)
    write_sent("http://third", Sent("r", "1", digest_of(elsewhere, "record.json")), elsewhere)
    folders = [done, waits, runs, elsewhere, tmp_path / "nothing"]
    assert tracking_of(folders, store) == Tracking(
        store.name, 1, ("runs",), ("waits",), {"http://other": 2}
    )
