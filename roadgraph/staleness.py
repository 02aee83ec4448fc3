"""What a stored thing depends on, by name, and what of it has changed since it was made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from roadgraph.storage import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

NEW = "none yet"
OLDER = "made by an older roadgraph"
LONGEST = 60  # letters of a value that a reason shows
DIGEST = re.compile(r"[0-9a-f]{16,}")


def fingerprint_of(depends_on: Mapping[str, str]) -> str:
    """Return the SHA-256 of named dependencies; their order does not matter."""
    return fingerprint(text for name in sorted(depends_on) for text in (name, depends_on[name]))


def changes(before: Mapping[str, str] | None, now: Mapping[str, str]) -> tuple[str, ...]:
    """Return what differs between the dependencies of a stored thing and those of now.

    Args:
        before: what the stored thing was made from; ``None`` where there is none.
        now: what it would be made from.

    Returns:
        A short text each, such as ``probes.max_gap_s 120.0 -> 90.0``, in the order of ``now``,
        then what is gone; empty when nothing differs. A digest or a long value is ``changed``.
    """
    if before is None:
        return (NEW,)
    found = []
    for name, value in now.items():
        if name not in before:
            found.append(f"{name} is new")
        elif before[name] != value:
            found.append(_change(name, before[name], value))
    found.extend(f"{name} is gone" for name in before if name not in now)
    return tuple(found)


def _change(name: str, before: str, now: str) -> str:
    if any(len(value) > LONGEST or DIGEST.fullmatch(value) for value in (before, now)):
        return f"{name} changed"
    return f"{name} {before or '(empty)'} -> {now or '(empty)'}"
