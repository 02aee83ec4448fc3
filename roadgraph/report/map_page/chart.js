// A segment's last day and its forecast, drawn as SVG.

const SVG = "http://www.w3.org/2000/svg";
const CHART = { width: 320, height: 168, left: 34, right: 8, top: 20, bottom: 22 };
const DAY_MS = 24 * 3600 * 1000;
const JOINED_MS = 3600 * 1000; // observations farther apart are not joined by a line

function drawn(tag, attributes, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

/** Return what the chart shows: times are the middles of slices in ms, speeds in km/h. */
function chartSeries(data, i, n) {
  const { header, sliceMs } = data;
  const now = header.issued_ms[i];
  const observed = [];
  for (let k = 0; k < data.T; k++) {
    const begin = header.history_start_ms + k * sliceMs;
    const speed = data.observedAt(k, n);
    if (begin >= now - DAY_MS && speed !== null) observed.push({ at: begin + sliceMs / 2, speed });
  }
  const forecast = header.horizons_min.map((minutes, h) => ({
    at: now + minutes * 60000 - sliceMs / 2, h,
    speed: data.speed(i, h, n), slow: data.slow(i, h, n), fast: data.fast(i, h, n),
  })).filter(({ speed }) => speed !== null);
  const end = now + header.horizons_min[data.H - 1] * 60000;
  return { now, observed: observed.filter(({ at }) => at < end), forecast, begin: now - DAY_MS, end };
}

/** Return the chart of segment `n` as of issue `i`, with horizon `h` marked. */
function segmentChart(data, i, h, n) {
  const series = chartSeries(data, i, n);
  const { header } = data;
  const speeds = [...series.observed, ...series.forecast].flatMap(({ speed, fast }) => [speed, fast ?? 0]);
  const high = roundedSpeed(Math.max(...speeds, data.freeFlow(n) ?? 0) / header.speed_unit_kph);
  // The hours ahead get a third of the width: the forecast is what the chart is for.
  const inner = CHART.width - CHART.left - CHART.right, split = CHART.left + inner * 0.66;
  const x = (at) => (at <= series.now
    ? CHART.left + ((at - series.begin) / (series.now - series.begin)) * (split - CHART.left)
    : split + ((at - series.now) / (series.end - series.now)) * (inner * 0.34));
  const y = (kph) => CHART.top
    + (1 - kph / header.speed_unit_kph / high) * (CHART.height - CHART.top - CHART.bottom);
  const chart = drawn("svg", {
    viewBox: `0 0 ${CHART.width} ${CHART.height}`, class: "chart", role: "img",
    "aria-label": `Speeds observed in the 24 hours before ${header.issued_at[i].local} and forecast after it`,
  });
  chart.append(...speedAxis(header, high, y), ...timeAxis(data, series, x));
  const free = data.freeFlow(n);
  if (free !== null) {
    chart.append(drawn("line", {
      class: "free", x1: CHART.left, x2: CHART.width - CHART.right, y1: y(free), y2: y(free) }));
  }
  chart.append(...observedMarks(series.observed, x, y));
  chart.append(...forecastMarks(series.forecast, h, x, y));
  return chart;
}

function speedAxis(header, high, y) {
  const marks = [drawn("text", { class: "unit", x: 2, y: 11 }, header.speed_unit)];
  for (let k = 0; k <= 2; k++) {
    const speed = (high * k) / 2, at = y(speed * header.speed_unit_kph);
    marks.push(
      drawn("line", { class: "grid", x1: CHART.left, x2: CHART.width - CHART.right, y1: at, y2: at }),
      drawn("text", { class: "tick", x: CHART.left - 5, y: at + 4, "text-anchor": "end" }, `${speed}`));
  }
  return marks;
}

function timeAxis(data, { now, begin, end }, x) {
  const hours = new Intl.DateTimeFormat("en-GB", {
    timeZone: data.header.timezone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const bottom = CHART.height - CHART.bottom;
  const mark = (at, text, anchor = "middle") => [
    drawn("line", { class: "mark", x1: x(at), x2: x(at), y1: bottom, y2: bottom + 4 }),
    drawn("text", { class: "tick", x: x(at), y: bottom + 16, "text-anchor": anchor }, text)];
  const marks = [
    drawn("line", { class: "now", x1: x(now), x2: x(now), y1: CHART.top - 4, y2: bottom }),
    drawn("text", { class: "tick", x: x(now), y: CHART.top - 9, "text-anchor": "middle" },
      `issued ${hours.format(now)}`),
    ...mark(end, hours.format(end), "end")];
  const step = 15 * 60000; // every zone is a whole number of quarters of an hour from UTC
  for (let at = Math.ceil(begin / step) * step; at < now; at += step) {
    const [hour, minute] = hours.format(at).split(":").map(Number);
    if (minute === 0 && hour % 6 === 0 && x(at) < x(now) - 4) marks.push(...mark(at, hours.format(at)));
  }
  return marks;
}

function observedMarks(observed, x, y) {
  const lines = [];
  observed.forEach(({ at, speed }, k) => {
    const before = observed[k - 1];
    const joined = before && at - before.at <= JOINED_MS;
    lines.push(`${joined ? "L" : "M"}${x(at).toFixed(1)} ${y(speed).toFixed(1)}`);
  });
  const dots = observed.map(({ at, speed }) => drawn("circle", {
    class: "seen", cx: x(at).toFixed(1), cy: y(speed).toFixed(1), r: 1.6 }));
  return [drawn("path", { class: "observed", d: lines.join("") }), ...dots];
}

function forecastMarks(forecast, h, x, y) {
  const marks = [];
  const point = (name) => (f) => `${x(f.at).toFixed(1)} ${y(f[name]).toFixed(1)}`;
  const banded = forecast.filter(({ slow, fast }) => slow !== null && fast !== null);
  if (banded.length > 1) {
    const edge = [...banded.map(point("fast")), ...banded.map(point("slow")).reverse()];
    marks.push(drawn("path", { class: "band", d: `M${edge.join("L")}Z` }));
  } else if (banded.length) {
    const [f] = banded;
    marks.push(drawn("line", { class: "range", x1: x(f.at), x2: x(f.at), y1: y(f.slow), y2: y(f.fast) }));
  }
  if (forecast.length) {
    marks.push(drawn("path", { class: "forecast", d: `M${forecast.map(point("speed")).join("L")}` }));
  }
  for (const f of forecast) {
    marks.push(drawn("circle", {
      class: f.h === h ? "shown" : "step", cx: x(f.at), cy: y(f.speed), r: f.h === h ? 4.5 : 2 }));
  }
  return marks;
}
