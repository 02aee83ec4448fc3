// Numbers and sentences as people read them, and the elements that hold them.

/** A probability from the page was rounded, so 0 and 1 stand for nearly. */
const percent = (p) => {
  const rounded = Math.round(100 * p);
  if (rounded === 0) return "<1 %";
  return rounded === 100 ? ">99 %" : `${rounded} %`;
};
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

const byId = (id) => document.getElementById(id);

/** Return an element with its class, its text or its children. */
function element(tag, className = "", content = []) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...(Array.isArray(content) ? content : [content]));
  return made;
}

function speedText(data, kph) {
  return `${Math.round(kph / data.header.speed_unit_kph)} ${data.header.speed_unit}`;
}

function errorText(data, kph) {
  const value = Math.round(kph / data.header.speed_unit_kph);
  return `${value > 0 ? "+" : value < 0 ? "\u2212" : ""}${Math.abs(value)} ${data.header.speed_unit}`;
}

function ageText(minutes) {
  if (minutes === null) return "not observed in the 24 hours before";
  if (minutes < 60) return `last observed ${minutes} min before the time of issue`;
  return `last observed ${Math.floor(minutes / 60)} h ${minutes % 60} min before the time of issue`;
}

function targetText(data, i, h) {
  const { from, to } = data.header.targets[i][h];
  const minutes = data.header.horizons_min[h];
  return minutes === 0 ? `Estimate for ${from} to ${to}` : `Forecast for ${from} to ${to}, ${minutes} minutes ahead`;
}

function roadText(data, n) {
  const { header, arrays } = data;
  const limit = data.limit(n), free = data.freeFlow(n);
  return [
    data.names[n] ? data.ids[n] : "",
    header.road_classes[arrays.road_class[n]].replaceAll("_", " "),
    Number.isFinite(arrays.length_m[n]) ? `${Math.round(arrays.length_m[n])} m` : "",
    limit === null ? "" : `limit ${speedText(data, limit)}`,
    free === null ? "" : `free flow ${speedText(data, free)}`,
    arrays.new_segment && arrays.new_segment[n] ? "added since training" : "",
  ].filter(Boolean).join(", ");
}

/** Return the numbers of segment `n` at horizon `h` of issue `i`; null where there is none. */
function factsOf(data, i, h, n) {
  const { classes } = data.header;
  const answer = data.congestion(i, h, n);
  const truth = data.truth(i, h, n), speed = data.speed(i, h, n);
  const probabilities = Object.fromEntries(
    classes.filter(({ name }) => data.has(`p_${name}`))
      .map(({ name }) => [name, data.probability(name, i, h, n)]));
  return {
    id: data.ids[n], name: data.names[n],
    roadClass: data.header.road_classes[data.arrays.road_class[n]],
    lengthM: data.arrays.length_m[n], limitKph: data.limit(n), freeFlowKph: data.freeFlow(n),
    congestion: answer === null ? null : classes[answer].name,
    probabilities,
    speedKph: speed, speedP10Kph: data.slow(i, h, n), speedP90Kph: data.fast(i, h, n),
    observedKph: truth, errorKph: truth === null || speed === null ? null : speed - truth,
    seen: data.seen(i, n), ageMin: data.age(i, n), fromHistory: data.fromHistory(i, h),
  };
}

function swatch(colour) {
  const made = element("span", "swatch");
  made.style.background = colour;
  return made;
}

function classLine(data, facts, colourOfClass) {
  const place = data.header.classes.findIndex(({ name }) => name === facts.congestion);
  const { title, name } = data.header.classes[place];
  const p = facts.probabilities[name];
  const line = element("p", "answer", [swatch(colourOfClass(place)), element("strong", "", title)]);
  if (p !== undefined && p !== null) line.append(` ${percent(p)}`);
  return line;
}

/** Return a line that says so where the class answered is not the likeliest, else null. */
function likelierLine(data, facts) {
  const known = data.header.classes.filter(({ name }) => Number.isFinite(facts.probabilities[name]));
  if (facts.congestion === null || !known.length) return null;
  const likeliest = known.reduce((best, each) => (
    facts.probabilities[each.name] > facts.probabilities[best.name] ? each : best));
  const gap = facts.probabilities[likeliest.name] - facts.probabilities[facts.congestion];
  if (!(gap > PROBABILITY_STEP)) return null; // within what rounding does
  return element("p", "soft", `${capital(likeliest.title)} is likelier; the model weighs the classes, `
    + "so that rare ones are found.");
}

function speedLine(data, facts) {
  const line = element("p", "speed", element("strong", "", speedText(data, facts.speedKph)));
  if (facts.speedP10Kph !== null && facts.speedP90Kph !== null) {
    const low = Math.round(facts.speedP10Kph / data.header.speed_unit_kph);
    line.append(`, ${data.header.interval} between ${low} and ${speedText(data, facts.speedP90Kph)}`);
  }
  return line;
}

function truthLine(data, facts, i, h) {
  if (data.truthSlice(i, h) < 0) return element("p", "soft", "The truth has not come in yet.");
  if (facts.observedKph === null) return element("p", "soft", "Nothing was observed in this time.");
  const text = `Observed ${speedText(data, facts.observedKph)}`;
  return element("p", "", facts.errorKph === null
    ? text : `${text}, error ${errorText(data, facts.errorKph)}`);
}

/** Return the few lines that stand beside the mouse. */
function tooltipLines(data, i, h, n, colourOfClass) {
  const facts = factsOf(data, i, h, n);
  const lines = [element("p", "road", facts.name || facts.id)];
  if (facts.name) lines.push(element("p", "soft", facts.id));
  if (facts.congestion !== null) lines.push(classLine(data, facts, colourOfClass));
  if (facts.speedKph !== null) lines.push(speedLine(data, facts));
  if (facts.congestion === null && facts.speedKph === null) {
    lines.push(element("p", "soft", "No answer for this segment."));
  }
  if (data.truthSlice(i, h) >= 0 && facts.speedKph !== null) lines.push(truthLine(data, facts, i, h));
  return lines;
}

/** Return the probabilities of all classes as bars. */
function probabilityBars(data, facts, colourOfClass) {
  const rows = data.header.classes.flatMap(({ name, title }, place) => {
    const p = facts.probabilities[name];
    if (p === undefined || p === null) return [];
    const bar = element("span", "bar");
    bar.style.background = colourOfClass(place);
    bar.style.width = `${100 * p}%`;
    return [element("dt", "", title), element("dd", "", [
      element("span", "track", bar), element("span", "figure", percent(p))])];
  });
  return element("dl", "probabilities", rows);
}

/** Return what the card says of segment `n`, without the chart. */
function cardLines(data, i, h, n, colourOfClass) {
  const facts = factsOf(data, i, h, n);
  const lines = [element("p", "soft when", targetText(data, i, h))];
  if (facts.fromHistory) {
    lines.push(element("p", "flag", "Typical only: this horizon rests on the history alone."));
  }
  if (facts.congestion !== null) lines.push(classLine(data, facts, colourOfClass));
  if (Object.values(facts.probabilities).some((p) => p !== null)) {
    lines.push(probabilityBars(data, facts, colourOfClass));
  }
  const likelier = likelierLine(data, facts);
  if (likelier) lines.push(likelier);
  if (facts.speedKph !== null) lines.push(speedLine(data, facts));
  if (facts.congestion === null && facts.speedKph === null) {
    lines.push(element("p", "soft", "The model gives no answer for this segment."));
  } else if (facts.speedKph !== null) lines.push(truthLine(data, facts, i, h));
  if (facts.seen || data.answered(i, n)) {
    lines.push(element("p", "soft", facts.seen
      ? "Observed right before the time of issue" : capital(ageText(facts.ageMin))));
  }
  return lines;
}
