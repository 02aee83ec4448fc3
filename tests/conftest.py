"""What tests of several parts share."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from roadgraph import workflow
from roadgraph.comparison import pictures, results
from tests.tracking.toy import new_store

# The same examples every time, however slow the machine is.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.load_profile("same")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an MLflow store with nothing in it; making one takes seconds, a copy does not."""
    return new_store(tmp_path_factory.mktemp("store") / "mlflow.db")


DRAWING = {
    pictures: (
        "plot_confusion", "plot_error_by_hour", "plot_error_map", "plot_learning_curves",
        "plot_reliability",
    ),
    results: ("plot_coverage", "plot_scores"),
    workflow: ("plot_network", "plot_worst_trips"),
}  # fmt: skip
DRAWN = {
    (module, name): getattr(module, name) for module, names in DRAWING.items() for name in names
}


@pytest.fixture(scope="session", autouse=True)
def _a_dot_for_a_picture() -> Iterator[None]:
    """Let the commands draw a dot for a picture, which would take longer than a toy's training."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in DRAWN:
            patch.setattr(module, name, _draw_a_dot)
        yield


@pytest.fixture
def real_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands draw their pictures."""
    for (module, name), draw in DRAWN.items():
        monkeypatch.setattr(module, name, draw)


def _draw_a_dot(*arguments: Any, **named: Any) -> None:
    """Write a PNG file of one grey dot to the last argument, or to ``path``, and an empty SVG."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    path: Path = named["path"] if "path" in named else arguments[-1]
    path.parent.mkdir(parents=True, exist_ok=True)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    image = header + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + image)
    path.with_suffix(".svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
