"""The cluster against the embedded engine.

The cluster is Spark's ``local-cluster``: two executors, each a process of its own that stands in a
folder of its own and starts its own Python workers. ``local[2]`` would start sooner, but its
workers share the driver program's folder and process, so that a relative path, or a value that
cannot be sent, would go unnoticed.
"""

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import narwhals as nw
import polars as pl
import pytest

from roadgraph.errors import DataError, SettingsError
from roadgraph.probes.fix_store import FixStore
from roadgraph.schema import SLICES, TRAVERSALS
from roadgraph.settings import Settings, SparkSettings
from roadgraph.slices import spark as engine
from roadgraph.slices.aggregate import slices_from_traversals
from roadgraph.slices.building import DayAccount, build_days
from roadgraph.slices.planning import plan_days
from roadgraph.slices.run import SlicesReport
from roadgraph.slices.spark_session import Cluster, check_installed
from roadgraph.slices.store import read_manifest
from roadgraph.workspace import Workspace
from tests.slices.toy import bytes_of, made, settings_of, table_of_days
from tests.toy import (
    MONDAY_7,
    detector_network,
    drive,
    fix,
    fixes_table,
    straight_network,
    write_fixes,
)

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # starts in a third of the time
OPTIONS = {
    "spark.driver.extraJavaOptions": QUICK_JAVA,
    "spark.executor.extraJavaOptions": QUICK_JAVA,
    "spark.sql.shuffle.partitions": "2",
    "spark.task.maxFailures": "1",
    "spark.sql.session.timeZone": "UTC",
}


def what_is_missing() -> str:
    """Return why Spark cannot start here, or an empty text."""
    try:
        check_installed()
    except SettingsError as error:
        return str(error)
    return ""


pytestmark = pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing())


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Start a cluster that all tests of this module use, as a user's program would have one."""
    import pyspark

    with Cluster(SparkSettings("local-cluster[2,1,1024]", OPTIONS)) as cluster:
        name = cluster.context.applicationId
        yield cluster
    shutil.rmtree(Path(pyspark.__file__).parent / "work" / name, ignore_errors=True)


def monday() -> pl.DataFrame:
    """Return fixes of every fate: driven, over midnight, parked, lone, unmatched, unusable."""
    parked = [fix("parked", 60 * i, 50, 0, 0.0) for i in range(45)]
    night = drive("night", MONDAY_7 + timedelta(hours=16, minutes=59, seconds=30))
    odd = [
        fix("v5", 2120, east_m=251, north_m=4),  # a second fix of the same time
        fix("lone", speed_kph=None),
        fix("spot", 5),
        fix("x", 10, speed_kph=300.0),
        fix(None, 3),
        *[fix("far", 30 * i, north_m=150) for i in range(4)],
    ]
    # Each lies its own distance from the road, so that the worst trips have an order.
    start = MONDAY_7 + timedelta(seconds=2000)
    drives = [drive(f"v{i}", start, north_m=i) for i in range(1, 6)]
    fast = drive("fast", speed_kph=36.7, every_s=7.3)
    return pl.concat([*drives, fast, fixes_table(parked), fixes_table(odd), night[:2]])


def tuesday() -> pl.DataFrame:
    """Return the rest of the night's drive and two vehicles of the next morning."""
    night = drive("night", MONDAY_7 + timedelta(hours=16, minutes=59, seconds=30))
    start = MONDAY_7 + timedelta(days=1)
    slow = drive("é", start, speed_kph=21.3, every_s=11, north_m=2)
    return pl.concat([night[2:], drive("v1", start, north_m=1), slow])


def write_both(folder: Path) -> Path:
    folder.mkdir()
    write_fixes(monday(), folder / "monday.csv")
    write_fixes(tuesday(), folder / "_tuesday.parquet")  # Spark itself would not see this name
    return folder


def on(name: str, settings: Settings) -> Settings:
    """Return settings for one of the engines, each with a workspace of its own."""
    return replace(settings, engine=name, workspace=f"{settings.workspace}/{name}")  # type: ignore[arg-type]


def assert_same_tables(found: Workspace, expected: Workspace) -> None:
    """Compare floats to 1e-9, all else exactly, the order of the rows included."""
    for name in ("slices", "traversals", "quarantine"):
        ours, theirs = (table_of_days(workspace, name) for workspace in (found, expected))
        assert ours.schema == theirs.schema
        assert len(theirs) > 0
        for column in theirs.columns:
            values, wanted = ours[column], theirs[column]
            if wanted.dtype == pl.Float64:
                assert values.is_null().to_list() == wanted.is_null().to_list(), (name, column)
                near = pytest.approx(wanted.drop_nulls().to_list(), rel=1e-9, abs=1e-12)
                assert values.drop_nulls().to_list() == near, (name, column)
            else:
                assert values.to_list() == wanted.to_list(), (name, column)


def assert_same_manifests(found: Workspace, expected: Workspace) -> None:
    for day in (MONDAY, TUESDAY):
        ours, theirs = (read_manifest(work.slices, day) for work in (found, expected))
        for manifest in (ours, theirs):
            manifest["matching"]["metres"] = round(manifest["matching"]["metres"], 6)
        assert ours == theirs


class Both(NamedTuple):
    """What one engine and the other made of the same files."""

    spark: tuple[SlicesReport, Workspace]
    embedded: tuple[SlicesReport, Workspace]
    settings: Settings


@pytest.fixture(scope="module")
def both(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """Let both engines read and build the two days; small groups, so that days have several."""
    folder = tmp_path_factory.mktemp("both")
    settings = settings_of(folder, write_both(folder / "fixes"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "LEAST_GROUP_ROWS", 1)
        return Both(made(on("spark", settings)), made(on("embedded", settings)), settings)


def test_both_engines_give_the_same_tables_in_the_same_order(both: Both) -> None:
    assert_same_tables(both.spark[1], both.embedded[1])
    rules = set(table_of_days(both.spark[1], "quarantine")["rule"])
    assert rules == {"duplicate", "parked", "lone_fix", "unmatched"}


def test_both_engines_give_the_same_account_of_every_row(both: Both) -> None:
    ours, theirs = both.spark[0], both.embedded[0]
    assert ours.rows_in == ours.rows_used + sum(ours.refused.values())
    assert ours.rows_in == len(monday()) + len(tuesday())
    assert replace(ours, matching=None) == replace(theirs, matching=None)
    assert ours.built == (MONDAY, TUESDAY)
    assert_same_manifests(both.spark[1], both.embedded[1])


def test_both_engines_read_the_same_bytes_into_the_store_of_fixes(both: Both) -> None:
    assert bytes_of(both.spark[1].fixes) == bytes_of(both.embedded[1].fixes)


def test_a_second_run_reads_and_builds_nothing(both: Both) -> None:
    before = bytes_of(both.spark[1].root)
    report, _ = made(on("spark", both.settings))
    assert (report.built, report.kept) == ((), (MONDAY, TUESDAY))
    assert bytes_of(both.spark[1].root) == before


def test_a_late_file_builds_its_days_again_with_all_their_fixes(
    cluster: Cluster, tmp_path: Path
) -> None:
    folder = write_both(tmp_path / "fixes")
    settings = settings_of(tmp_path, folder)
    spark = on("spark", settings)
    first = replace(spark, city=replace(spark.city, fixes=str(folder / "monday.csv")))
    made(replace(first, engine="embedded"))  # the stores of both engines are the same
    late = replace(spark, city=replace(spark.city, fixes=str(folder / "_tuesday.parquet")))
    report, found = made(late)
    _, expected = made(on("embedded", settings))
    assert report.built == (MONDAY, TUESDAY)
    assert_same_tables(found, expected)


def built(
    name: str, settings: Settings, folder: Path
) -> tuple[dict[date, DayAccount], list[float]]:
    """Build the days of the store of fixes of ``settings`` by one engine into ``folder``."""
    network = straight_network()
    plans = plan_days(FixStore(Workspace.of(settings).fixes), network, settings)
    shares: list[float] = []
    build = engine.build_days_on_spark if name == "spark" else build_days
    return build(plans, folder, network, settings, shares.append), shares


def test_days_that_are_matched_in_jobs_of_their_own_come_out_the_same(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "JOB_ROWS", 1)
    settings = on("embedded", both.settings)
    ours, shares = built("spark", settings, tmp_path / "spark")
    theirs, _ = built("embedded", settings, tmp_path / "embedded")
    assert ours == theirs
    assert bytes_of(tmp_path / "spark") == bytes_of(tmp_path / "embedded")
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


def test_no_days_are_no_work(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, tmp_path)
    assert engine.build_days_on_spark([], tmp_path, straight_network(), settings) == {}


def test_a_damaged_file_is_the_same_error_as_without_spark_and_the_stores_stay(
    both: Both, tmp_path: Path
) -> None:
    folder = shutil.copytree(both.settings.city.fixes, tmp_path / "fixes")
    (folder / "tuesday.csv.gz").write_bytes(gzip.compress(b"vehicle_id,timestamp\n" * 99)[:-20])
    (folder / "zero.csv").write_bytes(b"")
    messages = []
    for name in ("spark", "embedded"):
        settings = on(name, both.settings)
        before = bytes_of(Workspace.of(settings).root)
        damaged = replace(settings, city=replace(settings.city, fixes=str(folder)))
        with pytest.raises(DataError) as caught:
            made(damaged)
        messages.append(str(caught.value))
        assert bytes_of(Workspace.of(settings).root) == before
    assert messages[0] == messages[1]
    assert "tuesday.csv.gz" in messages[0]


def test_fixes_that_match_nothing_are_refused_and_the_store_stays(
    both: Both, tmp_path: Path
) -> None:
    work = shutil.copytree(both.settings.workspace, tmp_path / "work")
    far = drive("far", MONDAY_7 + timedelta(days=5), north_m=150)
    path = write_fixes(far, tmp_path / "far.parquet")
    settings = on("spark", settings_of(work, path))
    slices = Workspace.of(settings).slices
    before = bytes_of(slices)
    assert before
    with pytest.raises(DataError, match=r"no fix of 2026-01-10 .*\(unmatched 5\)"):
        made(settings)
    assert bytes_of(slices) == before


def test_an_error_of_the_matching_in_a_worker_stays_what_it_was(both: Both, tmp_path: Path) -> None:
    settings = on("embedded", both.settings)
    plans = plan_days(FixStore(Workspace.of(settings).fixes), straight_network(), settings)
    with pytest.raises(DataError, match="the network has no geometry"):
        engine.build_days_on_spark(plans, tmp_path / "out", detector_network(), settings)
    assert bytes_of(tmp_path) == {}


def failing(kind: str) -> Callable[[int], Any]:
    """Return what fails in a worker; made here, so that it can be sent there."""

    def fail(item: int) -> Any:
        if kind == "unseen":
            return Path("/no/such/file").read_text()
        if kind == "lacking":
            return __import__("no_such_package")
        if kind == "crash":
            return os._exit(3)
        return item / 0

    return fail


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("unseen", DataError, "cannot use a file: .*/no/such/file.*storage that all workers see"),
        ("lacking", SettingsError, "cannot run roadgraph: No module named 'no_such_package'"),
        ("crash", DataError, "Spark gave up: .*crashed"),
        ("fault", Exception, r"Traceback[\s\S]*ZeroDivisionError"),  # ours: with all there is
    ],
)
def test_what_the_user_can_mend_in_a_worker_is_one_message(
    cluster: Cluster, kind: str, error: type[Exception], message: str
) -> None:
    tasks = cluster.context.parallelize([1], 1).map(failing(kind))
    with pytest.raises(error, match=message):
        cluster.run(tasks.collect)


def test_a_session_that_was_active_before_goes_on_with_its_own_settings(cluster: Cluster) -> None:
    zone = "spark.sql.session.timeZone"
    cluster.session.conf.set(zone, "Asia/Bangkok")
    try:
        with Cluster(SparkSettings("spark://elsewhere:1")) as inner:
            assert inner.session.conf.get(zone) == "UTC"
            assert inner.context is cluster.context
        assert cluster.session.conf.get(zone) == "Asia/Bangkok"
        assert cluster.context.parallelize([1, 2]).count() == 2
    finally:
        cluster.session.conf.set(zone, "UTC")


def traversals() -> pl.DataFrame:
    """Return four cells: alone, three that agree and not, standing, and the next slice."""
    rows = [
        ("v1", "A", 0.0, 40.0, 1.0, 0.9, 9.0),
        ("v1", "B", 9.25, 30.0, 1.0, 0.8, 12.0),
        ("v2", "B", 100.0, 12.5, 0.6, 0.3, 17.28),
        ("v2", "B", 899.999999, 12.5, 0.4, 0.3, 11.52),
        ("v3", "C", 300.0, 0.0, 0.0, 0.0, 400.0),
        ("v1", "B", 900.0, 36.1, 1.0, 1.0, 9.972299),
    ]
    kinds = pl.DataFrame(TRAVERSALS.schema.empty_table()).dtypes
    schema = dict(zip(TRAVERSALS.columns, kinds, strict=True))
    start = MONDAY_7.tz_convert("UTC")
    times = [(v, s, start + timedelta(seconds=after), *rest) for v, s, after, *rest in rows]
    return pl.DataFrame(times, schema=schema, orient="row")


def test_the_slices_of_a_table_are_the_same_on_polars_pandas_and_pyspark(cluster: Cluster) -> None:
    frames: dict[str, Any] = {
        "polars": traversals(),
        "pandas": traversals().to_pandas(),
        "pyspark": cluster.session.createDataFrame(traversals().to_arrow()),
    }
    found = {}
    for name, frame in frames.items():
        slices = slices_from_traversals(frame, 15)
        assert type(slices) is type(frame)
        native = slices.toArrow() if name == "pyspark" else nw.from_native(slices).to_arrow()
        found[name] = SLICES.conform(native).to_pylist()
    assert [(row["segment_id"], row["count_probes"]) for row in found["polars"]] == [
        ("A", 1), ("B", 2), ("B", 1), ("C", 1),
    ]  # fmt: skip
    assert [row["mean_speed"] for row in found["polars"]][::3] == [40.0, 0.0]
    assert found["pandas"] == found["polars"]
    assert found["pyspark"] == found["polars"]
