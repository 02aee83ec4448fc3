// The legend of the layer shown: what the colours mean and how many segments have which.

const SAMPLE_PX = 3.5;

/** Write the legend of `layer`; `steps` are those of all segments, colours and widths by step. */
function writeLegend(layer, theme, steps, colours, widths) {
  const counts = new Uint32Array(256);
  for (const step of steps) counts[step] += 1;
  const row = (colour, width, title, count) => {
    const sample = element("span", "sample");
    sample.style.background = colour;
    sample.style.height = `${SAMPLE_PX * width}px`;
    const share = count ? `${count.toLocaleString("en")} (${percent(count / steps.length)})` : "0";
    return element("li", "", [
      element("span", "box", sample), element("span", "title", title),
      element("span", "count", share)]);
  };
  const rows = (layer.classes ?? []).map(
    ({ title }, k) => row(cssOf(colours[k]), widths[k], title, counts[k]));
  rows.push(row(GREY[theme], NO_ANSWER_WIDTH, "no answer", counts[NO_STEP]));
  byId("legend").replaceChildren(
    ...(layer.classes ? [] : rampLegend(layer, colours)), element("ul", "", rows));
  byId("layer-about").textContent = layer.about;
  const late = layer.name === "error" && !layer.missing && counts[NO_STEP] === steps.length;
  byId("layer-note").textContent = late ? "The truth of this time has not come in yet." : "";
}

const cssOf = (rgb) => `rgb(${rgb.map(Math.round)})`;

function rampLegend(layer, colours) {
  const bar = element("div", "ramp");
  const stops = colours.filter((_, k) => k % 10 === 0 || k === colours.length - 1);
  bar.style.background = `linear-gradient(to right, ${stops.map(cssOf)})`;
  const ticks = element("div", "ticks", layer.ticks.map(({ at, text }) => {
    const tick = element("span", at === 0 ? "first" : at === 1 ? "last" : "", text);
    tick.style.left = `${100 * at}%`;
    return tick;
  }));
  const ends = (layer.ends ?? []).map((text) => element("span", "", text));
  return [
    element("p", "unit soft", layer.unit), bar, ticks,
    ...(ends.length ? [element("div", "ends", ends)] : [])];
}
