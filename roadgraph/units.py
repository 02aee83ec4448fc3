"""Units of speed."""

from __future__ import annotations

KPH_PER = {"km/h": 1.0, "mph": 1.609344, "m/s": 3.6, "knots": 1.852}
"""Kilometres per hour in one of each unit; all exact (international mile, nautical mile)."""

KPH_PER_MPH = KPH_PER["mph"]
