// What the colours mean. A layer gives every segment a step from 0 to STEPS - 1 of its ramp, or
// NO_STEP where there is no answer; a palette gives every step a colour and a width.

const STEPS = 250;
const NO_STEP = 255;

// Stops run from calm to noteworthy, which must stand out: dark on light paper, light on dark.
// After inferno, viridis and cividis of matplotlib: lightness alone tells the values apart.
const RAMPS = {
  inferno: {
    light: ["#d8cdb0", "#eebb57", "#f0892f", "#dd513a", "#ba3655", "#932667", "#6a176e", "#420a68", "#160b39"],
    dark: ["#5c4c72", "#7f3c82", "#a8386f", "#cf4a52", "#ec6a34", "#f7952a", "#fcc24a", "#fcf3a8"],
  },
  viridis: {
    light: ["#c2df23", "#86d549", "#52c569", "#2ab07f", "#1e9b8a", "#25858e", "#2d708e", "#38588c", "#433e85", "#481467"],
    dark: ["#575b86", "#4a7393", "#3b8f93", "#2fab88", "#55c46d", "#94d648", "#d8e444", "#fbf29a"],
  },
  cividis: {
    light: ["#ecd95a", "#cbba69", "#aa9d73", "#8b8276", "#706c75", "#555b6c", "#36476b", "#002a5c"],
    dark: ["#4f5d7d", "#656a7e", "#7b7a7a", "#938f7a", "#b0a577", "#cfbe6c", "#f0dd68", "#fff3b0"],
  },
  // Brown: the forecast was too slow; blue: too fast.
  diverging: {
    light: ["#6b3d00", "#a8691a", "#d3a561", "#b3b3aa", "#6fa8cc", "#2372ab", "#08386b"],
    dark: ["#ffcf8a", "#e09a3e", "#a06a2a", "#5d656e", "#2f7fb5", "#63b0e6", "#b5dcff"],
  },
};
const GREY = { light: "#cfd2d3", dark: "#3d454f" };
const PAPER = { light: "#f3f2ee", dark: "#14181d" };
const DARK_CONTRAST = 3; // of WCAG 2.1, 1.4.11, for what is no text
const WIDEST = 1.6; // how much wider a noteworthy line is than a calm one
const NO_ANSWER_WIDTH = 0.6;

const rgbOf = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
const hexOf = (rgb) => `#${rgb.map((v) => Math.round(v).toString(16).padStart(2, "0")).join("")}`;

/** Return the relative luminance of WCAG 2.1. */
function luminance(hex) {
  const [r, g, b] = rgbOf(hex).map((v) => {
    const part = v / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/** Return `hex` as it is on paper, or brighter with the same hue until it is seen on the dark. */
function seenOn(theme, hex) {
  if (theme === "light") return hex;
  const rgb = rgbOf(hex);
  const full = rgb.map((v) => (v * 255) / Math.max(...rgb, 1));
  for (let k = 0; k <= 40; k++) {
    const part = k / 20; // first to the full colour, then towards white
    const mixed = part <= 1
      ? rgb.map((v, c) => v + (full[c] - v) * part)
      : full.map((v) => v + (255 - v) * (part - 1));
    if (contrast(hexOf(mixed), PAPER.dark) >= DARK_CONTRAST) return hexOf(mixed);
  }
  return "#ffffff";
}

/** Return the colour at `part` (0 to 1) of the way along `stops`. */
function along(stops, part) {
  const at = Math.min(Math.max(part, 0), 1) * (stops.length - 1);
  const k = Math.min(Math.floor(at), stops.length - 2);
  const [from, to] = [rgbOf(stops[k]), rgbOf(stops[k + 1])];
  return from.map((v, c) => v + (to[c] - v) * (at - k));
}

/** Return a round number at or above `value`, such as 1, 2, 3, 4, 6 or 10. */
function roundAbove(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 3, 4, 6, 10].map((k) => k * power).find((k) => k >= value * 0.999);
}

/** Return the value that `share` of the numbers of `at(n)` lie below; 0 without any. */
function quantile(count, at, share) {
  const values = [];
  const stride = Math.max(1, Math.floor(count / 20000));
  for (let n = 0; n < count; n += stride) {
    const value = at(n);
    if (value !== null) values.push(value);
  }
  values.sort((a, b) => a - b);
  return values.length ? values[Math.floor((values.length - 1) * share)] : 0;
}

/** Return the greatest such quantile of `at(i, h, n)` over all horizons of a few of `issues`. */
function greatestQuantile(data, issues, at, share) {
  const every = Math.max(1, Math.ceil(issues.length / 3));
  const some = issues.filter((_, k) => k % every === 0);
  return Math.max(0, ...some.flatMap((i) => data.header.horizons_min.map(
    (_, h) => quantile(data.N, (n) => at(i, h, n), share))));
}

const linear = (low, high) => (value) => (value - low) / (high - low);
const evenTicks = (from, to) => [0, 0.25, 0.5, 0.75, 1].map((at) => {
  const value = from + (to - from) * at;
  return { at, text: `${value < 0 ? "\u2212" : from < 0 && value > 0 ? "+" : ""}${+Math.abs(value).toFixed(1)}` };
});

/** A layer whose values lie on a ramp; `part(value)` is 0 where calm and 1 where noteworthy. */
function rampLayer(layer) {
  const step = (value) => (value === null
    ? NO_STEP : Math.round(Math.min(Math.max(layer.part(value), 0), 1) * (STEPS - 1)));
  return {
    ...layer,
    step: (i, h, n) => step(layer.value(i, h, n)),
    colours: (theme) => Array.from(
      { length: STEPS }, (_, k) => along(RAMPS[layer.ramp][theme], k / (STEPS - 1))),
    widths: () => Array.from({ length: STEPS }, (_, k) => {
      const part = k / (STEPS - 1);
      return 1 + (WIDEST - 1) * (layer.ends ? Math.abs(2 * part - 1) : part);
    }),
  };
}

/** A layer of classes: `answer(i, h, n)` is a place in `classes`, calm ones last, or null. */
function classLayer(layer) {
  return {
    ...layer,
    step: (i, h, n) => layer.answer(i, h, n) ?? NO_STEP,
    colours: (theme) => layer.classes.map(({ colour }) => rgbOf(colour[theme] ?? seenOn(theme, colour))),
    widths: () => layer.classes.map((_, k) => (
      WIDEST - ((WIDEST - 1) * k) / Math.max(layer.classes.length - 1, 1))),
  };
}

/** Return the layers in the order of the page; `missing` says why one cannot be shown. */
function layersOf(data) {
  const { header } = data;
  const unit = header.speed_unit;
  const shown = (kph) => kph / header.speed_unit_kph;
  const last = data.I - 1;
  const issues = header.issued_at.map((_, i) => i);
  return [
    congestionLayer(data), gridlockLayer(data), shareLayer(data), speedLayer(data, shown, unit, last),
    uncertaintyLayer(data, shown, unit, issues), observedLayer(data), errorLayer(data, shown, unit, issues),
  ];
}

function congestionLayer(data) {
  return classLayer({
    name: "congestion", title: "Congestion",
    about: data.header.congestion_rule ? `${capital(data.header.congestion_rule)}.` : "The class that the model answers.",
    missing: data.has("congestion") ? "" : "the model gives no classes",
    classes: data.header.classes,
    answer: data.congestion,
  });
}

function gridlockLayer(data) {
  const ticks = [0, 0.05, 0.2, 0.5, 1];
  return rampLayer({
    name: "gridlock", title: "Probability of gridlock",
    about: "How likely the class gridlock is.",
    missing: data.has("p_gridlock") ? "" : "the model gives no probabilities",
    ramp: "inferno",
    value: (i, h, n) => data.probability("gridlock", i, h, n),
    part: Math.sqrt, // most probabilities are small
    ticks: ticks.map((p) => ({ at: Math.sqrt(p), text: `${Math.round(100 * p)}` })),
    unit: "%",
  });
}

function shareLayer(data) {
  return rampLayer({
    name: "relative-speed", title: "Speed, share of free flow",
    about: "Forecast speed over the segment's free-flow speed, by which its classes go.",
    missing: !data.has("speed") ? "the model gives no speeds"
      : data.has("free_flow_kph") ? "" : "free flow is not known: no day before was observed",
    ramp: "viridis",
    value: (i, h, n) => {
      const speed = data.speed(i, h, n), free = data.freeFlow(n);
      return speed === null || !free ? null : speed / free;
    },
    part: (share) => 1 - share,
    ticks: evenTicks(100, 0),
    unit: "% of free flow",
  });
}

function speedLayer(data, shown, unit, last) {
  const speeds = (n) => data.freeFlow(n) ?? data.speed(last, 0, n);
  const high = data.has("speed") ? roundedSpeed(shown(quantile(data.N, speeds, 0.98))) : 1;
  return rampLayer({
    name: "speed", title: `Speed in ${unit}`,
    about: "Forecast mean speed of the slice.",
    missing: data.has("speed") ? "" : "the model gives no speeds",
    ramp: "viridis",
    value: (i, h, n) => data.speed(i, h, n),
    part: (kph) => 1 - shown(kph) / high,
    ticks: evenTicks(high, 0),
    unit,
  });
}

const roundedSpeed = (value) => Math.max(20, Math.ceil(value / 20) * 20);

function uncertaintyLayer(data, shown, unit, issues) {
  const width = (i, h, n) => {
    const slow = data.slow(i, h, n), fast = data.fast(i, h, n);
    return slow === null || fast === null ? null : fast - slow;
  };
  if (data.has("speed_p10") && data.has("speed_p90")) {
    // A horizon that rests on the history alone has no range, so no single one sets the scale.
    const high = roundAbove(shown(greatestQuantile(data, issues, width, 0.95)));
    return rampLayer({
      name: "uncertainty", title: "Uncertainty",
      about: `Width of the range that holds the speed with ${data.header.interval} probability.`,
      missing: "", ramp: "cividis", value: width,
      part: (kph) => shown(kph) / high,
      ticks: evenTicks(0, high),
      unit,
    });
  }
  return rampLayer({
    name: "uncertainty", title: "Uncertainty",
    about: "How likely it is that another class than the answered one comes true.",
    missing: data.has("congestion") ? "" : "the model says nothing of how sure it is",
    ramp: "cividis",
    value: (i, h, n) => {
      const answer = data.congestion(i, h, n);
      const p = answer === null ? null : data.probability(data.header.classes[answer].name, i, h, n);
      return p === null ? null : 1 - p;
    },
    part: linear(0, 0.75),
    ticks: [0, 25, 50, 75].map((p) => ({ at: p / 75, text: `${p}` })),
    unit: "%",
  });
}

function observedLayer(data) {
  const ages = [60, 360, 1440];
  return classLayer({
    name: "observed", title: "Observed or estimated",
    about: "When before the time of issue a vehicle was last seen on the segment. Where none "
      + "was seen in 24 hours, all is estimated from neighbours and history.",
    missing: data.has("seen") || data.has("age_min") ? "" : "the page holds no observations",
    classes: [
      { title: "in the last slice", colour: { light: "#0b3c5d", dark: "#ffe08a" } },
      { title: "within the hour", colour: { light: "#2c7fb8", dark: "#7fcdbb" } },
      { title: "within 6 hours", colour: { light: "#1fb38f", dark: "#41a3c4" } },
      { title: "within 24 hours", colour: { light: "#b5a142", dark: "#4a6fb5" } },
      { title: "not seen: estimated", colour: { light: "#e696d1", dark: "#6b5577" } },
    ],
    answer: (i, h, n) => {
      if (data.seen(i, n)) return 0;
      if (!data.answered(i, n)) return null; // nothing is told of it then
      const age = data.age(i, n);
      const found = age === null ? -1 : ages.findIndex((limit) => age <= limit);
      return found < 0 ? ages.length + 1 : found + 1;
    },
  });
}

function errorLayer(data, shown, unit, issues) {
  const error = (i, h, n) => {
    const speed = data.speed(i, h, n), truth = data.truth(i, h, n);
    return speed === null || truth === null ? null : speed - truth;
  };
  const size = (i, h, n) => {
    const value = error(i, h, n);
    return value === null ? null : Math.abs(value);
  };
  // Those of which some truth has come in.
  const known = issues.filter((i) => data.header.horizons_min.some((_, h) => data.truthSlice(i, h) >= 0));
  const high = roundAbove(shown(greatestQuantile(data, known, size, 0.9)));
  return rampLayer({
    name: "error", title: "Error",
    about: "Forecast less observed speed, where the truth has come in.",
    missing: !data.has("speed") ? "the model gives no speeds"
      : known.length ? "" : "no truth yet: nothing has been observed of the times forecast",
    ramp: "diverging",
    value: error,
    part: (kph) => (shown(kph) / high + 1) / 2,
    ticks: evenTicks(-high, high),
    unit,
    ends: ["too slow", "too fast"],
  });
}
