"""What a setting says of itself: meaning, unit and range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Setting:
    """What a setting means, its unit and its range (both ends allowed)."""

    doc: str
    unit: str = ""
    low: float | None = None
    high: float | None = None

    def describe(self) -> str:
        """Return the meaning with unit and range, on one line."""
        unit = f" ({self.unit})" if self.unit else ""
        limits = "" if self.low is None else f" [{self.low:g} to {self.high:g}]"
        return f"{self.doc}{unit}{limits}"

    def check(self, value: Any) -> Any:
        """Return ``value``, or raise ``ValueError`` when it lies outside the range."""
        for item in value if isinstance(value, tuple) else (value,):
            if self.low is not None and not item >= self.low:  # NaN is in no range
                raise ValueError(f"must be at least {self.low:g} (found {item})")
            if self.high is not None and not item <= self.high:
                raise ValueError(f"must be at most {self.high:g} (found {item})")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        # pydantic calls this; it is imported here alone so that the definitions need only Python.
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.check, handler(source))
