from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from roadgraph.report import style
from roadgraph.report.style import RULES, is_drawable, new_figure, plot_files, save

SVG = "{http://www.w3.org/2000/svg}"


def figure_of(lines: int = 2, panels: int = 1) -> Figure:
    figure = new_figure(3.0, 2.0)
    for axes in figure.subplots(1, panels, squeeze=False)[0]:
        axes.add_collection(LineCollection([[(0, 0), (1, 1)]] * lines, colors="#e8590c"))
        axes.set(xlabel="east, m", ylabel="north, m")
    return figure


def drawing_of(path: Path) -> ElementTree.Element:
    return ElementTree.parse(path.with_suffix(".svg")).getroot()


def test_a_plot_is_written_as_pixels_and_as_a_drawing(tmp_path: Path) -> None:
    path = tmp_path / "plots" / "a.png"
    save(figure_of(), path)
    assert sorted(path.parent.iterdir()) == list(plot_files(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    drawing = drawing_of(path)
    assert (drawing.tag, drawing.get("width")) == (f"{SVG}svg", "216pt")  # 3 in
    assert "#e8590c" in path.with_suffix(".svg").read_text()


def test_texts_of_a_drawing_are_outlines(tmp_path: Path) -> None:
    save(figure_of(), tmp_path / "a.png")
    assert list(drawing_of(tmp_path / "a.png").iter(f"{SVG}text")) == []


def test_the_same_plot_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save(figure_of(), tmp_path / name)
    first, second = (
        [file.read_bytes() for file in plot_files(tmp_path / name)] for name in ("a.png", "b.png")
    )
    assert first == second


@pytest.mark.parametrize(("lines", "images"), [(3, 0), (4, 2)])
def test_more_lines_than_a_drawing_can_have_are_pixels_in_it(
    lines: int, images: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, "MOST_VECTOR_LINES", 6)
    # Those of both panels count together.
    save(figure_of(lines, panels=2), tmp_path / "a.png")
    drawing = drawing_of(tmp_path / "a.png")
    assert len(list(drawing.iter(f"{SVG}image"))) == images


def test_a_plot_that_fails_leaves_the_files_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(figure_of(), tmp_path / "a.png")
    before = [file.read_bytes() for file in plot_files(tmp_path / "a.png")]
    broken = figure_of()

    def fail(*arguments: object) -> None:
        raise RuntimeError("no font")

    monkeypatch.setattr(style, "_draw_many_lines_as_pixels", fail)
    with pytest.raises(RuntimeError, match="no font"):
        save(broken, tmp_path / "a.png")
    assert [file.read_bytes() for file in plot_files(tmp_path / "a.png")] == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_death_between_the_two_leaves_no_drawing_of_another_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    save(figure_of(), path)
    replace = Path.replace

    def die_at_the_drawing(self: Path, target: Path) -> Path:
        if target.suffix == ".svg":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", die_at_the_drawing)
    with pytest.raises(KeyboardInterrupt):
        save(figure_of(panels=2), path)
    assert list(tmp_path.iterdir()) == [path]


def test_signs_in_a_name_are_no_formula(tmp_path: Path) -> None:
    with mpl.rc_context(RULES):
        figure = new_figure(3.0, 2.0)
        figure.suptitle("a road $x_{$")
        save(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").exists()


def test_letters_that_the_font_lacks_are_told() -> None:
    assert is_drawable("Straße 12, Улица $")
    assert not is_drawable("ถนนสุขุมวิท")
