import gzip
import zipfile
from pathlib import Path

import pytest

from roadgraph.errors import DataError
from roadgraph.probes import feed_files as module
from roadgraph.probes.feed_files import DamagedError, FeedFile, feed_files, pieces, seekable

TEXT = b"".join(b"line %d\n" % i for i in range(10_000))


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return path


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        feed_files(path)
    assert path.name in str(error.value)
    return str(error.value)


def read(path: Path) -> bytes:
    [file] = feed_files(path)
    return b"".join(pieces(file))


def damaged(path: Path) -> tuple[bytes, str]:
    """Return the bytes that came before the damage, and the message."""
    [file] = feed_files(path)
    found: list[bytes] = []
    with pytest.raises(DamagedError) as error:
        found.extend(pieces(file))
    assert file.name in str(error.value)
    return b"".join(found), str(error.value)


def test_a_folder_is_searched_with_its_folders_and_zips_in_the_order_of_the_names(
    tmp_path: Path,
) -> None:
    for name in ("b.csv", "a.parquet", "C.CSV.GZ", "d.txt.gz", "e.tsv", "notes.md", "f.csv.bak"):
        (tmp_path / name).touch()
    (tmp_path / "2024").mkdir()
    (tmp_path / "2024" / "05.txt").touch()
    write_zip(tmp_path / "2024" / "06.zip", {"y.csv": b"", "x/z.csv.gz": b"", "readme.md": b""})
    assert [file.name for file in feed_files(tmp_path)] == [
        "2024/05.txt",
        "2024/06.zip/x/z.csv.gz",
        "2024/06.zip/y.csv",
        "C.CSV.GZ",
        "a.parquet",
        "b.csv",
        "d.txt.gz",
        "e.tsv",
    ]


def test_hidden_files_and_those_that_macos_packs_are_left_out(tmp_path: Path) -> None:
    (tmp_path / ".a.csv").touch()
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "b.csv").touch()
    (tmp_path / "c.csv").touch()
    (tmp_path / "folder.csv").mkdir()
    write_zip(tmp_path / "d.zip", {"__MACOSX/._e.csv": b"", ".f.csv": b"", "g.csv": b""})
    assert [file.name for file in feed_files(tmp_path)] == ["c.csv", "d.zip/g.csv"]


def test_a_hidden_folder_that_was_asked_for_is_searched(tmp_path: Path) -> None:
    (tmp_path / ".feed").mkdir()
    (tmp_path / ".feed" / "a.csv").touch()
    assert [file.name for file in feed_files(tmp_path / ".feed")] == ["a.csv"]


def test_a_single_file_is_called_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.touch()
    assert feed_files(path) == [FeedFile(path, "a.csv")]
    packed = write_zip(tmp_path / "b.zip", {"c.csv": b""})
    assert feed_files(packed) == [FeedFile(packed, "b.zip/c.csv", "c.csv")]


def test_a_missing_path_is_named_with_its_setting(tmp_path: Path) -> None:
    assert refused(tmp_path / "nothere").endswith("are missing; set city.fixes to a file or folder")


def test_a_folder_without_fixes_is_named_with_the_formats(tmp_path: Path) -> None:
    (tmp_path / "notes.md").touch()
    assert "no file of fixes in it (looked for .csv, .csv.gz, .txt" in refused(tmp_path)


def test_a_file_of_another_format_is_named_with_the_formats(tmp_path: Path) -> None:
    (tmp_path / "fixes.xlsx").touch()
    message = refused(tmp_path / "fixes.xlsx")
    assert "no format of fixes (known are .csv, " in message
    assert ".zip" in message


def test_a_zip_without_fixes_is_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"readme.md": b"", "inner.zip": b"", "folder.csv/": b""})
    assert refused(path).startswith("a.zip: no file of fixes in this zip")


@pytest.mark.parametrize("data", [b"", b"no zip"])
def test_a_zip_that_is_none_is_named(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    assert refused(tmp_path / "a.zip").startswith("a.zip is no readable zip (File is not a zip")


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"b.csv": TEXT})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flags in the table of contents
    path.write_bytes(data)
    assert refused(path) == "a.zip/b.csv is encrypted; unpack it with its password"


def test_a_member_that_is_there_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("b.csv", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.writestr("b.csv", b"2")
    assert refused(path) == "a.zip holds 'b.csv' twice; unpack it and keep one"


def test_plain_and_packed_files_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(TEXT)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(TEXT, mtime=0))
    two_parts = gzip.compress(TEXT[:5000], mtime=0) + gzip.compress(TEXT[5000:], mtime=0)
    (tmp_path / "c.csv.gz").write_bytes(two_parts)
    write_zip(tmp_path / "d.zip", {"e.csv": TEXT})
    write_zip(tmp_path / "f.zip", {"g.csv.gz": gzip.compress(TEXT, mtime=0)})
    for file in feed_files(tmp_path):
        assert b"".join(pieces(file)) == TEXT, file.name
    assert len(feed_files(tmp_path)) == 5


def test_a_truncated_gzip_gives_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(TEXT, mtime=0)[:-2000])
    found, message = damaged(path)
    assert message == "a.csv.gz breaks off in the middle; fetch it again"
    assert TEXT.startswith(found)
    assert len(found) > 1000


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.csv.gz", b"plain text", "Not a gzipped file (b'pl')"),
        ("a.csv.gz", gzip.compress(TEXT, mtime=0)[:-8] + bytes(8), "CRC check failed"),
        (
            "a.csv.gz",
            gzip.compress(TEXT, mtime=0)[:100] + b"\xff" * 100,
            "while decompressing data",
        ),
    ],
)
def test_a_damaged_gzip_is_named_with_the_reason(
    name: str, data: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    _, message = damaged(tmp_path / name)
    assert reason in message
    assert message.endswith("fetch it again")


def test_a_damaged_member_of_a_zip_is_named_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("b.csv", TEXT)
    path.write_bytes(path.read_bytes().replace(b"line 17\n", b"lime 17\n"))
    found, message = damaged(path)
    assert "a.zip/b.csv cannot be read, or is damaged (Bad CRC-32 for file 'b.csv')" in message
    assert found == b""


def test_a_file_that_vanished_is_named(tmp_path: Path) -> None:
    file = FeedFile(tmp_path / "a.csv", "a.csv")
    with pytest.raises(DamagedError, match=r"a\.csv cannot be read, .*No such file"):
        list(pieces(file))
    with pytest.raises(DamagedError, match=r"a\.csv cannot be read .*No such file"), seekable(file):
        pass


def test_a_method_of_packing_that_python_does_not_know_is_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"b.csv": TEXT})
    data = path.read_bytes()
    for header, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = data.index(header) + place
        data = data[:at] + b"\x63" + data[at + 1 :]
    path.write_bytes(data)
    assert "compression" in damaged(path)[1]


def test_a_file_and_a_zips_member_can_be_read_from_any_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", 1000)
    (tmp_path / "a.parquet").write_bytes(TEXT)
    write_zip(tmp_path / "b.zip", {"c.parquet": TEXT})
    for file in feed_files(tmp_path):
        assert file.is_parquet
        with seekable(file) as stream:
            stream.seek(-7, 2)
            assert stream.read() == TEXT[-7:]
            stream.seek(0)
            assert stream.read() == TEXT


def test_a_damaged_member_cannot_be_opened_for_reading_from_any_place(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "b.zip", {"c.parquet": TEXT})
    data = path.read_bytes()
    path.write_bytes(data.replace(b"PK\x03\x04", b"XX\x03\x04"))
    [file] = feed_files(path)
    with pytest.raises(DamagedError, match=r"b\.zip/c\.parquet"), seekable(file):
        pass
