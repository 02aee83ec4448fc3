from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.errors import DataError, SettingsError
from roadgraph.probes.fix_times import utc_times
from roadgraph.settings import ProbesSettings

SEVEN = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)  # 07:00 in Bangkok
BANGKOK = "Asia/Bangkok"


def read(
    values: pa.Array | list[str],
    timezone: str = "",
    time_format: str = "",
    zoned: bool | None = None,
) -> list[datetime | None]:
    column = pa.array(values, pa.string()) if isinstance(values, list) else values
    chosen = ProbesSettings(timezone=timezone, time_format=time_format)
    return utc_times(column, chosen, zoned, "f.csv")[0].to_list()


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-05T00:00:00Z",
        "2026-01-05T00:00Z",
        "2026-01-05T00Z",
        "2026-01-05T07:00:00+07:00",
        "2026-01-05T07:00:00+0700",
        "2026-01-05T07:00:00+07",
        "2026-01-05 07:00:00+07:00",
        "2026-01-05 07:00:00 +07:00",
        "2026-01-05 07:00:00.000 +0700",
        "2026/01/05 07:00:00+07:00",
        "2026/1/5 7:00+07",
        "2026-01-04T19:00:00-05:00",
        "2026-01-05T05:30:00.000+05:30",
        "2026-01-04t23:30:00-00:30",
        "2026-01-05 00:00:00 UTC",
        "2026-01-05 00:00:00,000 GMT",
    ],
)
def test_a_time_with_its_zone_becomes_utc_whatever_the_setting_says(time: str) -> None:
    assert read([time]) == [SEVEN]
    assert read([time], "Europe/Berlin") == [SEVEN]


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-05 07:00:00",
        "2026-01-05T07:00:00",
        "2026-01-05 07:00",
        "2026-01-05 07:00:00.0",
        "2026-01-05  7:00:00",
        "2026/01/05 07:00:00",
        "2026/1/5 7:00",
    ],
)
def test_a_time_without_a_zone_is_of_the_set_one(time: str) -> None:
    assert read([time], BANGKOK) == [SEVEN]


def test_fractions_of_a_second_are_kept_to_the_microsecond() -> None:
    times = [f"2026-01-05T00:00:00{part}Z" for part in ("", ".5", ".25", ".000001", ".1234567")]
    assert read(times) == [
        SEVEN.replace(microsecond=part) for part in (0, 500_000, 250_000, 1, 123_456)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1767571200",
        "2026-01-05",
        "2026-01-05Z",
        "2026-13-05T00:00:00",
        "2026-02-30T00:00:00",
        "2026-01-05T24:00:00",
        "2026-01-05T07:60:00",
        "2026-01-05T07:00:60",
        "2026-01-05T07:00:00+99:00",
        "2026-01-05T07:00:00 Bangkok",
        "05/01/2026 07:00:00",
        "0000-01-05T07:00:00",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59",
        "٢٠٢٦-٠١-٠٥T٠٧:٠٠:٠٠+٠٧",
    ],
)
def test_what_is_no_time_becomes_missing_alone_and_among_others(text: str) -> None:
    assert read([text], BANGKOK) == [None]
    assert read([text, "2026-01-05T07:00:00"], BANGKOK) == [None, SEVEN]
    assert read(["2026-01-05T07:00:00", text], BANGKOK) == [SEVEN, None]
    assert read(["2026-01-05T07:00:00+07:00", text]) == [SEVEN, None]
    assert read([text, "2026/01/05 07:00:00"], BANGKOK) == [None, SEVEN]


def test_one_feed_may_mix_zones_and_ways_of_writing() -> None:
    mixed = ["2026-01-05T07:00:00+07:00", "2026-01-05T00:00:00Z", "2026/01/05 07:00:00.25 +07"]
    quarter = SEVEN.replace(microsecond=250_000)
    assert read(mixed) == [SEVEN, SEVEN, quarter]
    assert read(mixed[::-1]) == [quarter, SEVEN, SEVEN]


def test_among_times_with_zones_one_without_is_none() -> None:
    assert read(["2026-01-05T00:00:00Z", "2026-01-05T07:00:00"], BANGKOK) == [SEVEN, None]
    assert read(["2026-01-05T07:00:00"], BANGKOK, zoned=True) == [None]


def test_in_a_feed_whose_times_have_no_zone_one_with_a_zone_is_what_it_says() -> None:
    times = ["2026-01-05T00:00:00Z", "2026-01-05T07:00:00"]
    assert read(times, BANGKOK, zoned=False) == [SEVEN, SEVEN]


def test_the_first_times_tell_whether_a_feed_has_zones() -> None:
    chosen = ProbesSettings(timezone=BANGKOK)

    def known(before: bool | None, *texts: str) -> bool | None:
        return utc_times(pa.array(texts, pa.string()), chosen, before, "f.csv")[1]

    assert known(None) is None
    assert known(None, "rubbish") is None
    assert known(None, "2026-01-05T07:00:00Z") is True
    assert known(None, "2026-01-05T07:00:00") is False
    assert known(False, "2026-01-05T07:00:00Z") is False
    assert known(True, "2026-01-05T07:00:00") is True


def test_times_without_a_zone_are_an_error_unless_the_setting_gives_one() -> None:
    with pytest.raises(DataError) as error:
        read(["2026-01-05T07:00:00"])
    assert str(error.value).startswith("f.csv: column 'timestamp' has no time zone; write it as")
    assert "set probes.timezone" in str(error.value)


def test_the_hour_that_comes_twice_is_its_first_and_the_one_that_is_skipped_is_missing() -> None:
    times = ["2026-10-25T02:30:00", "2026-03-29T02:30:00", "2026-03-29T03:30:00"]
    assert read(times, "Europe/Berlin") == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        None,
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    ]


def test_a_zone_that_is_none_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(SettingsError, match=r"probes\.timezone: no time zone 'Mars'"):
        read(["2026-01-05T07:00:00"], "Mars")


def test_a_zone_of_the_systems_own_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(SettingsError, match=r"probes\.timezone: 'Factory' names no place"):
        read(["2026-01-05T07:00:00"], "Factory")


@pytest.mark.parametrize(
    ("time_format", "text"),
    [
        ("epoch_s", "1767571200"),
        ("epoch_s", "1767571200.0"),
        ("epoch_s", "1.7675712e9"),
        ("epoch_ms", "1767571200000"),
        ("%d/%m/%Y %H:%M:%S", "05/01/2026 07:00:00"),
        ("%d.%m.%y %H:%M", "05.01.26 07:00"),
        ("%Y%m%d%H%M%S", "20260105070000"),
        ("%d %b %Y %I:%M:%S %p", "05 Jan 2026 07:00:00 AM"),
        ("%d/%m/%Y %H:%M:%S%z", "05/01/2026 02:00:00+0200"),
        ("%d/%m/%Y %H:%M:%S.%f", "05/01/2026 07:00:00.000000"),
    ],
)
def test_other_ways_of_writing_are_read_by_their_format(time_format: str, text: str) -> None:
    assert read([text, "rubbish", ""], BANGKOK, time_format) == [SEVEN, None, None]


def test_an_epoch_keeps_its_microseconds_and_needs_no_zone() -> None:
    second = SEVEN.replace(microsecond=123_456)
    assert read(["1767571200.123456"], time_format="epoch_s") == [second]
    assert read(["1767571200123.456"], time_format="epoch_ms") == [second]
    assert read(["inf", "nan", "1e300", "-1e14"], time_format="epoch_s") == [None] * 4


def test_a_fraction_of_a_strptime_format_is_one_of_seconds() -> None:
    time_format = "%d/%m/%Y %H:%M:%S.%f"
    half = SEVEN.replace(microsecond=500_000)
    assert read(["05/01/2026 07:00:00.5"], BANGKOK, time_format) == [half]


def test_times_of_a_strptime_format_without_a_zone_need_the_setting() -> None:
    with pytest.raises(DataError, match="has no time zone"):
        read(["05/01/2026 07:00"], time_format="%d/%m/%Y %H:%M")


@pytest.mark.parametrize(
    "time_format", ["%H:%M", "%d/%m/%Y", "%Q", "%", "abc", "%s", "%I:%M %d/%m/%Y", "%c %Z"]
)
def test_a_format_without_a_whole_time_is_an_error_that_names_the_setting(time_format: str) -> None:
    with pytest.raises(SettingsError, match=r"^probes\.time_format: .* epoch_s or epoch_ms"):
        read(["x"], BANGKOK, time_format)


@pytest.mark.parametrize(
    ("unit", "a_second"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)]
)
def test_timestamps_of_every_unit_and_zone_become_utc(unit: str, a_second: int) -> None:
    ticks = [1_767_571_200 * a_second, None]
    for zone in ("UTC", "America/New_York", "+07:00"):
        assert read(pa.array(ticks, pa.timestamp(unit, zone))) == [SEVEN, None]
    local = [(1_767_571_200 + 7 * 3600) * a_second, None]
    assert read(pa.array(local, pa.timestamp(unit)), BANGKOK) == [SEVEN, None]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
@pytest.mark.parametrize("ticks", [2**63 - 1, -(2**63)])
def test_timestamps_outside_the_calendar_become_missing(unit: str, ticks: int) -> None:
    assert read(pa.array([ticks], pa.timestamp(unit, "UTC"))) == [None]
    assert read(pa.array([ticks], pa.timestamp(unit)), BANGKOK) == [None]


TEXTS = st.one_of(
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda time: time.isoformat(" ")),
    st.from_regex(r"\A20[0-3][0-9][-/][01]?[0-9][-/][0-3]?[0-9][T ][0-9]{1,2}(:[0-9]{2}){0,2}"
                  r"(\.[0-9]{1,7})?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?\Z"),
)  # fmt: skip


@given(st.lists(TEXTS, min_size=1, max_size=6))
@settings(max_examples=150)
def test_what_a_text_means_does_not_depend_on_those_around_it(texts: list[str]) -> None:
    together = read(texts, BANGKOK, zoned=False)
    assert together == [read([text], BANGKOK, zoned=False)[0] for text in texts]
