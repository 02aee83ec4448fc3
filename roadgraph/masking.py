"""What must not leave the machine: credentials in settings, absolute paths."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

MASK = "***"
SECRET_WORDS = frozenset(
    (
        "pass", "passwd", "pwd", "passphrase", "credential", "credentials", "auth",
        "authorization", "sig", "signature", "bearer",
    )
)  # fmt: skip
SECRET_ENDS = (
    "password", "secret", "token", "secretkey", "accesskey", "apikey", "privatekey", "webhook",
)  # fmt: skip
"""Of a webhook, because its address is all that is needed to post to it."""

KEYS_OF = frozenset(
    ("access", "account", "api", "encryption", "master", "private", "secret", "shared", "signing")
)
"""``fs.s3a.access.key`` and the like: words that make a secret of the word ``key`` behind them."""

QUOTED = r"(\"[^\"]*\"|'[^']*'|[^&;,\s'\"]+)"
ABSOLUTE = re.compile(
    r"(^|[\s=:,;'\"(\[])(?:file://)?/(?:[^\s,;:'\"()\[\]/]+/)+([^\s,;:'\"()\[\]/]*)"
)
"""A path from the root, at the beginning of a text or behind what ends a word."""


def is_secret_name(name: str) -> bool:
    """Return whether a setting of this name, such as ``fs.s3a.secret.key``, holds a credential."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words = [word for word in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if word]
    return (
        bool(SECRET_WORDS & set(words))
        or any(word.endswith(SECRET_ENDS) for word in words)
        or any(before in KEYS_OF and word == "key" for before, word in pairwise(words))
    )


def without_secrets(text: str) -> str:
    """Return ``text`` without the passwords of addresses and the values of secret parameters.

    ``user:password@host`` becomes ``user:***@host``; the password ends at the last ``@`` before
    the path. A login of a web address without a colon is a token. ``password=abc``,
    ``"password": "abc"`` and ``Authorization: Bearer abc`` lose their values.
    """
    text = re.sub(r"(?<=://)([^/:@\s]*):[^/\s]*@", rf"\1:{MASK}@", text)
    text = re.sub(r"(?<=https://)[^/:@\s]+@|(?<=http://)[^/:@\s]+@", f"{MASK}@", text)
    text = re.sub(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+", rf"\1 {MASK}", text)

    def masked(found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}{MASK}" if is_secret_name(found[1]) else found[0]

    return re.sub(rf"([\w.-]+)([\"']?\s*[=:]\s*)(?!//){QUOTED}", masked, text)


def masked_settings(content: Any, name: str = "") -> Any:
    """Return nested settings with every credential replaced by ``***``."""
    if isinstance(content, dict):
        return {key: masked_settings(value, str(key)) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [masked_settings(value, name) for value in content]
    if name and is_secret_name(name) and content not in ("", None):
        return MASK
    return without_secrets(content) if isinstance(content, str) else content


def portable_settings(content: Any) -> Any:
    """Return nested settings with the name alone of every absolute path, which is one machine's."""
    if isinstance(content, dict):
        return {key: portable_settings(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [portable_settings(value) for value in content]
    if not isinstance(content, str):
        return content
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(content).is_absolute() and not set(content) & set(",;"):
            return kind(content).name
    return ABSOLUTE.sub(r"\1\2", content)
