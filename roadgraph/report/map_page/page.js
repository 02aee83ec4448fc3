// Starts the page and joins its parts: what is shown, the controls, the card and the map.
//
// `window.roadgraph` answers tests and pages that embed this one; all of it only reads:
//   ready          a promise, kept when the first picture has been drawn
//   state()        what is shown: layer, issue, horizonMin, theme, selected id, zoom, centre ...
//   ids()          of all segments
//   segment(id)    the numbers of a segment at the time shown, in km/h and from 0 to 1; or null
//   colourOf(id)   red, green and blue of its line, 0 to 255; or null
//   pick(id)       {x, y} in the window of the middle of its line; or null
// The address may say what to begin with: #segment=ID&layer=NAME&minutes=NUMBER

const NARROW = "(max-width: 900px), (max-height: 500px)"; // as in the style: panels lie below each other
const INK = { light: [20, 24, 29, 255], dark: [240, 243, 246, 255] };
const HIGHLIGHT = { light: [0, 0, 0, 70], dark: [255, 255, 255, 90] };

function showTrouble(text) {
  byId("loading").hidden = true;
  byId("trouble").textContent = text;
  byId("trouble").hidden = false;
  document.body.classList.add("troubled");
}

/** Return why this browser cannot show the page, or "". */
function browserTrouble() {
  if (!document.createElement("canvas").getContext("webgl2")) {
    return "This map needs WebGL 2, which this browser lacks or has switched off: open the page in "
      + "a current Firefox, Chrome, Edge or Safari with graphics acceleration on.";
  }
  if (typeof DecompressionStream === "undefined") {
    return "This browser is too old to unpack the page's data: open the page in a current Firefox, "
      + "Chrome, Edge or Safari.";
  }
  return "";
}

async function loadLibrary() {
  const script = document.createElement("script");
  script.textContent = new TextDecoder().decode(await unpackedBytes("library"));
  document.head.append(script);
  return window.deck;
}

class MapPage {
  constructor(library, data) {
    this.data = data;
    this.layers = layersOf(data);
    this.places = new Map(data.ids.map((id, n) => [id, n]));
    this.layer = this.layers.find(({ missing }) => !missing) ?? this.layers[0];
    this.issue = data.I - 1;
    this.horizon = 0;
    this.selected = null;
    this.steps = new Uint8Array(data.N);
    this.ready = new Promise((resolve) => { this.drawn = resolve; });
    this.writeAbout();
    this.buildLayers();
    this.times = new TimesPanel(data, (change) => this.show(change));
    this.search = new SearchBox(data, (n) => this.find(n));
    this.buildButtons();
    this.compute();
    this.map = new RoadMap(library, data, byId("map"), () => this.insets(), {
      hover: (found) => this.showTooltip(found),
      pick: (n) => this.select(n),
      move: () => this.moved(),
      drawn: () => { if (this.map && this.map.binary) this.drawn(); },
      trouble: (error) => {
        this.times.pause();
        showTrouble(`The map cannot be drawn: ${error.message}`);
      },
    });
    this.map.paint(this.steps, this.palette);
    this.moved();
    this.begin();
    window.addEventListener("hashchange", () => this.begin());
  }

  // -- what is shown ------------------------------------------------------------------------

  get theme() {
    return document.documentElement.dataset.theme;
  }

  compute() {
    const { layer, issue, horizon, steps, data } = this;
    for (let n = 0; n < data.N; n++) steps[n] = layer.missing ? NO_STEP : layer.step(issue, horizon, n);
    const grey = rgbOf(GREY[this.theme]);
    const colours = layer.colours(this.theme);
    const widths = layer.widths();
    const packed = new Uint32Array(256), wide = new Float32Array(256).fill(NO_ANSWER_WIDTH);
    const pack = ([r, g, b]) => (255 << 24 | b << 16 | g << 8 | r) >>> 0;
    packed.fill(pack(grey));
    colours.forEach((rgb, k) => { packed[k] = pack(rgb.map(Math.round)); wide[k] = widths[k]; });
    this.palette = { packed, widths: wide, ink: INK[this.theme], highlight: HIGHLIGHT[this.theme] };
    writeLegend(layer, this.theme, steps, colours, widths);
    this.times.write(issue, horizon);
    this.writeCard();
  }

  show(change) {
    Object.assign(this, change);
    this.compute();
    this.map.paint(this.steps, this.palette);
    this.showTooltip(null);
  }

  colourOfClass(place) {
    const { colour } = this.data.header.classes[place];
    return seenOn(this.theme, colour);
  }

  begin() {
    const asked = new URLSearchParams(window.location.hash.slice(1));
    const layer = this.layers.find(({ name, missing }) => name === asked.get("layer") && !missing);
    const horizon = this.data.header.horizons_min.indexOf(Number(asked.get("minutes")));
    if (layer) byId(`layer-${layer.name}`).checked = true;
    if (layer || horizon >= 0) {
      this.show({ layer: layer ?? this.layer, horizon: horizon >= 0 ? horizon : this.horizon });
    }
    const segment = asked.get("segment");
    if (this.places.has(segment)) this.search.take(this.places.get(segment));
    else if (segment) this.search.offer(segment);
  }

  // -- layers ---------------------------------------------------------------------------------

  buildLayers() {
    for (const layer of this.layers) {
      const input = element("input");
      Object.assign(input, {
        type: "radio", name: "layer", id: `layer-${layer.name}`, value: layer.name,
        checked: layer === this.layer, disabled: Boolean(layer.missing) });
      input.addEventListener("change", () => this.show({ layer }));
      const label = element("label", "", [input, element("span", "", layer.title)]);
      if (layer.missing) label.append(element("small", "", layer.missing));
      byId("layers").append(label);
    }
  }

  // -- one segment --------------------------------------------------------------------------

  showTooltip(found) {
    const tooltip = byId("tooltip");
    tooltip.hidden = found === null || !window.matchMedia("(hover: hover)").matches;
    if (tooltip.hidden) return;
    tooltip.replaceChildren(...tooltipLines(
      this.data, this.issue, this.horizon, found.n, (place) => this.colourOfClass(place)));
    const { width, height } = tooltip.getBoundingClientRect();
    const left = found.x + 16 + width > window.innerWidth ? found.x - 16 - width : found.x + 16;
    const top = Math.min(found.y + 16, window.innerHeight - height - 8);
    tooltip.style.transform = `translate(${Math.max(left, 8)}px, ${Math.max(top, 8)}px)`;
  }

  select(n) {
    const left = n === null && byId("card").contains(document.activeElement);
    this.selected = n;
    document.body.classList.toggle("with-card", n !== null);
    this.writeCard();
    this.map.mark(n);
    this.showTooltip(null);
    // Not to the search: on a phone that opens the keyboard.
    if (left) byId("map").querySelector("canvas").focus();
  }

  find(n) {
    this.select(n);
    this.map.flyTo(n);
    byId("card").focus();
  }

  writeCard() {
    const { data, selected: n } = this;
    byId("card").hidden = n === null;
    if (n === null) return;
    byId("card-title").textContent = data.names[n] || data.ids[n];
    byId("card-road").textContent = roadText(data, n);
    byId("card-lines").replaceChildren(...cardLines(
      data, this.issue, this.horizon, n, (place) => this.colourOfClass(place)));
    const charted = data.has("speed") || data.T > 0;
    byId("card-chart").replaceChildren(...(charted ? [
      segmentChart(data, this.issue, this.horizon, n),
      element("p", "soft", this.chartCaption())] : []));
  }

  chartCaption() {
    const { data } = this;
    const range = data.has("speed_p10") ? ` with its ${data.header.interval} range` : "";
    const shown = [
      data.T ? "speeds observed in the last day (dots)" : "",
      data.has("speed") ? `forecast${range}` : "",
      data.has("free_flow_kph") ? "free flow (dashed)" : "",
    ].filter(Boolean).join(", ");
    return `${capital(shown)}; the time ahead is stretched`;
  }

  // -- the rest -----------------------------------------------------------------------------

  buildButtons() {
    byId("zoom-in").addEventListener("click", () => this.map.zoomBy(1));
    byId("zoom-out").addEventListener("click", () => this.map.zoomBy(-1));
    byId("zoom-all").addEventListener("click", () => this.map.showAll());
    byId("card-close").addEventListener("click", () => this.select(null));
    byId("about-open").addEventListener("click", () => byId("about").showModal());
    byId("theme").addEventListener("click", () => setTheme(this.theme === "dark" ? "light" : "dark"));
    new MutationObserver(() => this.show({})).observe(
      document.documentElement, { attributeFilter: ["data-theme"] });
    byId("map").addEventListener("pointerleave", () => this.showTooltip(null));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && event.target !== byId("search") && !byId("about").open) this.select(null);
    });
  }

  writeAbout() {
    const { header } = this.data;
    const fact = (name, text) => (text ? [element("dt", "", name), element("dd", "", text)] : []);
    byId("about-facts").append(
      ...fact("City", header.city),
      ...fact(header.models.length > 1 ? "Models" : "Model", header.models.join(", ")),
      ...fact("Made", header.made.slice(0, 16).replace("T", " ")),
      ...fact("Times", `${header.timezone}, forecasts of ${header.slice_minutes} minutes`),
      ...fact("Segments", this.data.N.toLocaleString("en")),
      ...fact("Classes", header.congestion_rule),
      ...fact("Map data", header.attribution),
      ...fact("Drawn by", "deck.gl (MIT licence, vis.gl contributors)"));
    byId("about-notes").append(...header.notes.map((note) => element("li", "", note)));
    byId("attribution").textContent = header.attribution;
  }

  /** Return how many pixels the panels cover at each side of the map. */
  insets() {
    const box = (id) => byId(id).getBoundingClientRect();
    const whole = box("map"), side = box("side"), dock = box("dock"), card = box("card");
    const top = box("top").bottom + 20;
    if (window.matchMedia(NARROW).matches) {
      const lowest = this.selected === null ? side : card;
      return { top, bottom: whole.bottom - lowest.top + 20, left: 20, right: 20 };
    }
    return {
      top, left: side.right + 20, bottom: whole.bottom - dock.top + 20,
      right: this.selected === null ? 60 : whole.right - card.left + 20 };
  }

  /** Draw the scale again after the map has moved. */
  moved() {
    if (!this.map) return;
    const { latitude, zoom } = this.map.view;
    const metresPerPx = (40075016.7 * Math.cos((latitude * Math.PI) / 180)) / (512 * 2 ** zoom);
    const metres = roundAbove(metresPerPx * 45);
    byId("scale-bar").style.width = `${metres / metresPerPx}px`;
    byId("scale-text").textContent = metres >= 1000 ? `${metres / 1000} km` : `${metres} m`;
    this.showTooltip(null);
  }

  // -- what others may ask ------------------------------------------------------------------

  interface() {
    const place = (id) => this.places.get(id);
    const of = (id, answer) => (place(id) === undefined ? null : answer(place(id)));
    return Object.freeze({
      ready: this.ready,
      state: () => ({
        layer: this.layer.name,
        layers: this.layers.map(({ name, missing }) => ({ name, missing })),
        issue: this.issue, issuedAt: this.data.header.issued_at[this.issue].utc,
        horizon: this.horizon, horizonMin: this.data.header.horizons_min[this.horizon],
        selected: this.selected === null ? null : this.data.ids[this.selected],
        theme: this.theme, playing: this.times.playing, zoom: this.map.view.zoom,
        centre: [this.map.view.longitude, this.map.view.latitude],
      }),
      ids: () => [...this.data.ids],
      segment: (id) => of(id, (n) => factsOf(this.data, this.issue, this.horizon, n)),
      colourOf: (id) => of(id, (n) => this.map.colourOf(n)),
      pick: (id) => of(id, (n) => this.map.pick(n)),
    });
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").setAttribute("aria-pressed", String(theme === "dark"));
}

async function start() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  const trouble = browserTrouble();
  if (trouble) {
    showTrouble(trouble);
    return;
  }
  let data, library;
  try {
    [data, library] = [await readForecasts(), await loadLibrary()];
  } catch (error) {
    showTrouble(`The data of this page cannot be read, the file is cut off or damaged: ${error.message}`);
    return;
  }
  const page = new MapPage(library, data);
  window.roadgraph = page.interface();
  await page.ready;
  byId("loading").hidden = true;
}

start().catch((error) => {
  showTrouble(`The map cannot be drawn: ${error.message}`);
  throw error;
});
