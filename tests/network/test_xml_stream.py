import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from roadgraph.errors import DataError
from roadgraph.network.xml_stream import (
    ElementError,
    number,
    read_xml_text,
    root_element,
    stream_xml,
    text,
    whole_number,
)

BOMB = '<?xml version="1.0"?><!DOCTYPE osm [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><osm>&b;</osm>'


def written(folder: Path, content: str | bytes, name: str = "map.osm") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def elements(path: Path, root: str = "osm") -> list[str]:
    found: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        found.append(f"<{name} {attributes.get('id', '')}>")

    stream_xml(path, root, start, lambda name: found.append(f"</{name}>"))
    return found


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        elements(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_every_element_is_told_where_it_begins_and_where_it_ends(tmp_path: Path) -> None:
    path = written(tmp_path, '<osm><way id="1"><nd/></way><node id="2"/></osm>')
    assert elements(path) == [
        *("<osm >", "<way 1>", "<nd >", "</nd>", "</way>", "<node 2>", "</node>", "</osm>")
    ]


def test_compression_is_told_by_the_content_not_by_the_name(tmp_path: Path) -> None:
    packed = gzip.compress(b"<osm/>")
    assert elements(written(tmp_path, packed)) == ["<osm >", "</osm>"]
    assert elements(written(tmp_path, "<osm/>", "map.osm.gz")) == ["<osm >", "</osm>"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.osm").endswith("no.osm is missing; set city.roads")


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    assert refused(written(tmp_path, "")).endswith("map.osm is empty")


@pytest.mark.parametrize(
    "content",
    [
        *("no xml", "<osm><way></osm>", "<osm><way>", "<!-- c -->"),
        "<?xml version='1.0' encoding='utf-88'?><osm/>",
    ],
)
def test_what_is_no_whole_xml_is_refused(content: str, tmp_path: Path) -> None:
    message = refused(written(tmp_path, content))
    assert "is no whole XML file" in message
    assert message.endswith("if it was cut short, get it again")


def test_a_gzip_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b"<osm>" + bytes(range(65, 90)) * 100 + b"</osm>")
    message = refused(written(tmp_path, packed[:-20]))
    assert "cannot be decompressed" in message
    assert message.endswith("if it was cut short, get it again")


def test_a_gzip_file_with_damage_inside_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"<osm></osm>"))
    packed[10] ^= 0xFF
    assert "cannot be decompressed" in refused(written(tmp_path, bytes(packed)))


def test_a_bzip2_file_with_damage_inside_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refused(written(tmp_path, b"BZh9" + b"x" * 50))


def test_another_root_is_refused_with_both_names(tmp_path: Path) -> None:
    message = refused(written(tmp_path, "<gpx/>"))
    assert message.endswith("begins with <gpx> and not with <osm>; is this the right file?")


def test_a_pbf_file_is_refused_with_the_command_that_converts_it(tmp_path: Path) -> None:
    message = refused(
        written(tmp_path, b"\x00\x00\x00\x0d\x0a\x09OSMHeader\x18\x7c", "town.osm.pbf")
    )
    assert message.endswith("convert it to XML first: osmium cat town.osm.pbf -o roads.osm.gz")


@pytest.mark.parametrize("read", [elements, root_element])
def test_entities_which_could_fill_the_memory_are_refused(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    path = written(tmp_path, BOMB)
    with pytest.raises(DataError, match=r"map\.osm declares an XML entity"):
        read(path)


def test_an_element_that_cannot_be_used_is_named_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "<osm>\n<way/>\n</osm>")

    def start(name: str, _attributes: dict[str, str]) -> None:
        if name == "way":
            raise ElementError("it is crooked")

    with pytest.raises(DataError, match=r"map\.osm, line 2: it is crooked; mend or remove it"):
        stream_xml(path, "osm", start, lambda _name: None)


def test_attributes_are_read_as_what_they_are() -> None:
    attributes = {"id": "-7", "lat": "50.5", "k": "highway"}
    assert whole_number(attributes, "id") == -7
    assert number(attributes, "lat") == 50.5
    assert text(attributes, "k") == "highway"


@pytest.mark.parametrize(
    ("value", "message"),
    [("x", "no whole number"), ("1.5", "no whole number"), (str(2**63), "too large a number")],
)
def test_what_is_no_whole_number_is_told(value: str, message: str) -> None:
    with pytest.raises(ElementError, match=f"id '{value}' is {message}"):
        whole_number({"id": value}, "id")


@pytest.mark.parametrize(
    ("value", "message"), [("x", "no number"), ("nan", "no finite number"), ("inf", "no finite")]
)
def test_what_is_no_number_is_told(value: str, message: str) -> None:
    with pytest.raises(ElementError, match=f"lat '{value}' is {message}"):
        number({"lat": value}, "lat")


@pytest.mark.parametrize("attributes", [{}, {"id": ""}])
def test_a_missing_attribute_is_told(attributes: dict[str, str]) -> None:
    for read in (text, number, whole_number):
        with pytest.raises(ElementError, match="an element has no id"):
            read(attributes, "id")


def test_the_root_is_told_from_the_beginning_alone(tmp_path: Path) -> None:
    head = "<?xml version='1.0'?>\n<!-- by hand -->\n<net version='1.9'>"
    assert root_element(written(tmp_path, head)) == "net"
    assert root_element(written(tmp_path, gzip.compress(b"<osm/>"))) == "osm"
    with pytest.raises(DataError, match="is no whole XML file"):
        root_element(written(tmp_path, "no xml"))


def test_the_whole_text_is_read_decompressed(tmp_path: Path) -> None:
    content = "<graphml>\u00fc</graphml>"
    assert read_xml_text(written(tmp_path, gzip.compress(content.encode())), "graphml") == content


def test_a_text_of_another_root_or_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="begins with <osm> and not with <graphml>"):
        read_xml_text(written(tmp_path, "<osm/>"), "graphml")
    latin = "<?xml version='1.0' encoding='latin-1'?><graphml>\u00fc</graphml>".encode("latin-1")
    with pytest.raises(DataError, match=r"map\.osm is not in UTF-8; save it so"):
        read_xml_text(written(tmp_path, latin), "graphml")
