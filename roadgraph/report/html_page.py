"""One HTML file that needs nothing beside itself: how every page of this kind is written."""

from __future__ import annotations

import base64
import logging
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from roadgraph.errors import DataError
from roadgraph.storage import whole_file

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Template
    from markupsafe import Markup

log = logging.getLogger(__name__)

MB = 1e6  # bytes
PNG_START = b"\x89PNG\r\n\x1a\n"  # PNG specification, section 5.2
BOLD = re.compile(r"\*\*(.+?)\*\*")
CODE = re.compile(r"`(.+?)`")


@dataclass(frozen=True)
class Picture:
    """A picture on the page.

    Attributes:
        title: below it, and read to those who do not see it.
        path: of a PNG file.
    """

    title: str
    path: Path


def write_page(template: str, path: Path, **content: Any) -> None:
    """Render ``template`` into one HTML file, whole or not at all.

    It extends ``html_page.html.jinja`` and may use the macros of ``html_parts.html.jinja`` and the
    filters ``marked`` (text with Markdown's bold and code), ``inlined`` (a :class:`Picture`) and
    ``web_address``.

    Args:
        template: name of a file beside this module.
        path: of the page.
        content: what the template names; ``page`` with ``title``, ``city`` and ``facts`` is there.

    Raises:
        DataError: a picture is missing or is no PNG file, or an address is not that of a web page.
    """
    text = page_template(template).render(**content) + "\n"
    write_html(text, path)


def write_html(text: str, path: Path) -> None:
    """Write a rendered page, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, "utf-8", newline="\n")
    log.info("%s: %.1f MB", path, len(text.encode()) / MB)


@cache
def page_template(name: str) -> Template:
    """Return a template of a page; what it names and is not given is an error."""
    # Beside training it would slow the start of every command.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("roadgraph", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "marked": _marked,
        "inlined": _inlined,
        "web_address": _web_address,
    }
    return environment.get_template(name)


def _marked(text: str) -> Markup:
    """Return ``text`` as HTML that shows it, with its bold and code."""
    from markupsafe import Markup, escape

    html = BOLD.sub(r"<strong>\1</strong>", str(escape(text)))
    return Markup(CODE.sub(r"<code>\1</code>", html))  # escaped above


def _inlined(picture: Picture) -> str:
    if not picture.path.is_file():
        raise DataError(
            f"{picture.path}: the picture '{picture.title}' of the page is missing; "
            "draw it first or leave it out"
        )
    content = picture.path.read_bytes()
    if not content.startswith(PNG_START):
        raise DataError(
            f"{picture.path}: the picture '{picture.title}' of the page is not PNG; save it as PNG"
        )
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _web_address(url: str, name: str) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        raise DataError(
            f"run '{name}': '{url}' is no web address; give one with http:// or https://, or none"
        )
    return url
