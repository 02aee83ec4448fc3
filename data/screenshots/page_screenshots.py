"""The map page on a wide screen, in light and dark, and on a phone."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserType, Page

WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
WIDE_PX, PHONE_PX = (1400, 900), (390, 844)
PHONE_SCALE = 1.5
OPEN_MS = 90_000
FLAT = "* { box-shadow: none !important; }"
"""A shadow has more shades than the few colours of a small file."""

BUSIEST = """() => {
  const slider = document.getElementById('issue');
  const turn = (place) => {
    slider.value = place;
    slider.dispatchEvent(new Event('input'));
  };
  const slow = (place) => {
    turn(place);
    const classes = roadgraph.ids().map((id) => roadgraph.segment(id).congestion);
    return classes.filter((name) => name === 'gridlock' || name === 'congested').length;
  };
  const counts = Array.from({ length: Number(slider.max) + 1 }, (_, place) => slow(place));
  turn(counts.indexOf(Math.max(...counts)));
}"""
"""Turns to the time of issue at which most segments are slow."""

SHOWN = """() => {
  const facts = roadgraph.ids().map((id) => roadgraph.segment(id));
  const jammed = facts.filter((f) => f.congestion === 'gridlock' && f.seen);
  const known = jammed.find((f) => f.observedKph !== null && f.lengthM > 200);
  return (known ?? jammed[0] ?? facts[0]).id;
}"""
"""A segment worth a look: in gridlock, seen right before, and what became of it is known."""


def take_map_pictures(
    chromium: BrowserType,
    browser: str,
    page: Path,
    out: Path,
) -> None:
    """Write ``map.png``, ``map-dark.png`` and ``map-phone.png`` into ``out``.

    Args:
        chromium: playwright's.
        browser: path of Chromium; it is started anew, with WebGL that needs no GPU.
        page: a map page.
        out: folder of the pictures.
    """
    started = chromium.launch(
        executable_path=browser, chromium_sandbox=os.geteuid() != 0, args=WEBGL
    )
    with _opened(started, page, WIDE_PX) as tab:
        find(tab, tab.evaluate(SHOWN))
        tab.get_by_role("button", name="Whole city").click()
        _save(tab, out / "map.png")
    with _opened(started, page, WIDE_PX, dark=True) as tab:
        tab.get_by_label("Probability of gridlock").check()
        _save(tab, out / "map-dark.png")
    with _opened(started, page, PHONE_PX, scale=PHONE_SCALE) as tab:
        find(tab, tab.evaluate(SHOWN))
        _save(tab, out / "map-phone.png")
    started.close()


def find(tab: Page, segment: str) -> None:
    """Search for a segment, which opens its card."""
    tab.locator("#search").fill(segment)
    tab.locator("#search").press("Enter")
    tab.locator("#search").fill("")
    tab.locator("#search").blur()


@contextmanager
def _opened(
    browser: Browser, page: Path, size: tuple[int, int], dark: bool = False, scale: float = 1
) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        device_scale_factor=scale,
        reduced_motion="reduce",
        offline=True,
    )
    tab = context.new_page()
    tab.goto(page.resolve().as_uri())
    tab.locator("#loading").wait_for(state="hidden", timeout=OPEN_MS)
    tab.evaluate(BUSIEST)
    yield tab
    context.close()


def _save(tab: Page, path: Path) -> None:
    """Write what ``tab`` shows as a PNG of few colours."""
    tab.add_style_tag(content=FLAT)
    with Image.open(io.BytesIO(tab.screenshot(animations="disabled"))) as shot:
        few = shot.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"{path}: {few.width} x {few.height}, {path.stat().st_size / 1000:.0f} kB")
