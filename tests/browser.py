"""Pages in a real Chromium without a window: what they ask of the network, and complaints."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
"""Draws on the processor where there is no GPU, and looks the same everywhere."""

WIDE, PHONE = (1400, 900), (390, 844)
TIMEOUT_MS = 60_000


@dataclass
class OpenPage:
    """A page and what has been noticed while it was open.

    Attributes:
        page: playwright's.
        requests: addresses that the page asked for, itself among them, without data: and blob:.
        messages: errors and warnings on the console, and errors that nothing caught.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Yield a running Chromium; skip the tests, with the reason, where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no page is opened: playwright is not installed"
    )
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no page is opened: none of {', '.join(NAMES)} is on the PATH")
    with playwright.sync_playwright() as started:
        # Chromium's sandbox refuses to run as root, which is who runs in most containers.
        browser = started.chromium.launch(
            executable_path=path,
            chromium_sandbox=os.geteuid() != 0,
            args=WEBGL,
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser,
    path: Path,
    size: tuple[int, int] = WIDE,
    scheme: Literal["light", "dark"] = "light",
    touch: bool = False,
    first: str = "",
) -> Iterator[OpenPage]:
    """Open the file at ``path`` without any network, yield the page and close it again.

    Args:
        browser: of ``running_browser``.
        path: of an HTML file.
        size: width and height of the page in pixels.
        scheme: of colours that the reader prefers.
        touch: whether the reader has a finger in place of a mouse.
        first: JavaScript that runs before that of the page.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        has_touch=touch,
        is_mobile=touch,
        offline=True,
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.add_init_script(first)
        seen = OpenPage(page)
        page.on("request", lambda request: _note_request(seen, request.url))
        page.on("console", lambda message: _note_message(seen, message.type, message.text))
        page.on("pageerror", lambda error: seen.messages.append(f"uncaught: {error}"))
        page.goto(path.resolve().as_uri())
        yield seen
    finally:
        context.close()


def _note_request(seen: OpenPage, url: str) -> None:
    if not url.startswith(("data:", "blob:")):
        seen.requests.append(url)


def _note_message(seen: OpenPage, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        seen.messages.append(f"{kind}: {text}")
