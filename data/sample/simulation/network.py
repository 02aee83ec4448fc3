"""Turns the town into a SUMO network and into `roads.geojson`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.sax.saxutils import quoteattr

import sumo
from pyproj import Transformer

from simulation.parameters import CENTRE_LAT_DEG, CENTRE_LON_DEG, ROAD_CLASSES, TOWN
from simulation.town import Town

# A plane whose origin is the town centre: metres are true and north is north.
PLANE = f"+proj=tmerc +lat_0={CENTRE_LAT_DEG} +lon_0={CENTRE_LON_DEG} +k=1 +datum=WGS84 +units=m"
TO_DEGREES = Transformer.from_crs(PLANE, "EPSG:4326", always_xy=True)


def sumo_binary(name: str) -> str:
    """Path of one of SUMO's programs, from the installed `sumo` package."""
    return str(Path(sumo.SUMO_HOME) / "bin" / name)


def build_network(town: Town, folder: Path, seed: int) -> Path:
    """Writes SUMO's plain files and runs netconvert on them; left-hand traffic, as in Thailand."""
    folder.mkdir(parents=True, exist_ok=True)
    lights = town.traffic_lights
    nodes = "".join(
        f'<node id="{n}" x="{x}" y="{y}"'
        f' type="{"traffic_light" if n in lights else "priority"}"/>\n'
        for n, (x, y) in town.nodes_m.items()
    )
    edges = "".join(
        f'<edge id="{s.segment_id}" from="{s.from_node}" to="{s.to_node}"'
        f' priority="{ROAD_CLASSES[s.road_class].priority}" numLanes="{s.lanes}"'
        f' speed="{s.speed_limit_kph / 3.6:.3f}" name={quoteattr(s.name)}'
        f' shape="{" ".join(f"{x},{y}" for x, y in s.line_m)}"/>\n'
        for s in town.segments
    )
    (folder / "town.nod.xml").write_text(f"<nodes>\n{nodes}</nodes>\n")
    (folder / "town.edg.xml").write_text(f"<edges>\n{edges}</edges>\n")
    network = folder / "town.net.xml"
    command = [
        sumo_binary("netconvert"), "--node-files", str(folder / "town.nod.xml"),
        "--edge-files", str(folder / "town.edg.xml"), "--output-file", str(network),
        "--no-turnarounds", "true", "--lefthand", "true", "--seed", str(seed),
        "--offset.disable-normalization", "true", "--no-warnings", "true",
        # Lights that wait for traffic cost little off the peaks and hold up everyone in them.
        "--tls.default-type", "actuated",
        "--tls.cycle.time", str(TOWN.traffic_light_cycle_s),
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return network


def write_roads(town: Town, path: Path) -> None:
    """The road map as a user would bring it: centre lines in driving direction, WGS84."""
    features = []
    for s in sorted(town.segments, key=lambda s: s.segment_id):
        x_m, y_m = zip(*s.line_m, strict=True)
        lon, lat = TO_DEGREES.transform(x_m, y_m)
        feature = {
            "type": "Feature",
            "properties": {
                "segment_id": s.segment_id,
                "from_node": s.from_node,
                "to_node": s.to_node,
                "name": s.name,
                "road_class": s.road_class,
                "lanes": s.lanes,
                "speed_limit_kph": s.speed_limit_kph,
            },
            "geometry": {
                "type": "LineString",
                "coordinates": [[round(x, 7), round(y, 7)] for x, y in zip(lon, lat, strict=True)],
            },
        }
        features.append(json.dumps(feature))
    body = ",\n".join(features)
    path.write_text(f'{{"type": "FeatureCollection", "features": [\n{body}\n]}}\n')
