// Finding a segment by its id or by the name of its road.

const MOST_FOUND = 8, NEAREST = 3;

/** Return `text` as it is compared: whatever its case and accents. */
const folded = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().trim();

/** Return segments whose id or name holds `text`: exact ones first, then what begins with it. */
function segmentsMatching({ ids, names }, text) {
  const wanted = folded(text);
  if (!wanted) return [];
  const rank = (name) => {
    const at = name.indexOf(wanted);
    if (at < 0) return 3;
    return at > 0 ? 2 : name.length === wanted.length ? 0 : 1;
  };
  const ranked = [[], [], [], [], [], [], []];
  const named = new Set();
  for (let n = 0; n < ids.length; n++) {
    const byId = rank(ids[n]), byName = rank(names[n]);
    const best = Math.min(byId, byName);
    if (best === 3) continue;
    // Every road once before the further segments of a road that has many.
    const again = byId === 3 && named.has(names[n]);
    if (byName < 3) named.add(names[n]);
    ranked[again ? best + 3 : best].push(n);
  }
  return ranked.flat().slice(0, MOST_FOUND);
}

/** Return how many letters must be put in, left out or changed to make `b` of `a` (Levenshtein),
 * or `limit` where it is that many or more. */
function editDistance(a, b, limit) {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let above = Array.from({ length: b.length + 1 }, (_, k) => k);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    let least = row;
    for (let k = 1; k <= b.length; k++) {
      const changed = above[k - 1] + (a[row - 1] === b[k - 1] ? 0 : 1);
      current[k] = Math.min(changed, above[k] + 1, current[k - 1] + 1);
      least = Math.min(least, current[k]);
    }
    if (least >= limit) return limit;
    above = current;
  }
  return above[b.length];
}

/** Return the `count` segments whose ids or names are nearest to `text`, nearest first. */
function nearestSegments({ ids, names }, text, count) {
  const wanted = folded(text);
  const best = [], named = new Set([""]);
  for (let n = 0; n < ids.length; n++) {
    const worst = best.length < count ? Infinity : best[best.length - 1].distance;
    const byId = editDistance(wanted, ids[n], worst);
    const byName = named.has(names[n]) ? worst : editDistance(wanted, names[n], worst);
    named.add(names[n]);
    const distance = Math.min(byId, byName);
    if (distance >= worst) continue;
    if (best.length === count) best.pop();
    const at = best.findIndex((other) => distance < other.distance);
    best.splice(at < 0 ? best.length : at, 0, { n, distance });
  }
  return best.map(({ n }) => n);
}

class SearchBox {
  /** @param find function that shows segment n */
  constructor(data, find) {
    Object.assign(this, { data, find, known: null });
    const input = byId("search");
    input.addEventListener("input", () => this.look(input.value, false));
    input.addEventListener("focus", () => this.look(input.value, false));
    input.addEventListener("keydown", (event) => this.key(event));
    input.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.look(input.value, true);
    });
    // A press on what is found leaves the focus in the field, which closes the list when it goes.
    byId("found").addEventListener("mousedown", (event) => event.preventDefault());
    input.addEventListener("blur", () => this.close());
    document.addEventListener("pointerdown", (event) => {
      if (!input.form.contains(event.target)) this.close();
    });
  }

  /** Ids and names as they are compared. */
  get texts() {
    const { ids, names } = this.data;
    this.known ??= { ids: ids.map(folded), names: names.map(folded) };
    return this.known;
  }

  get options() {
    return byId("found").hidden ? [] : [...byId("found").children];
  }

  get chosen() {
    return this.options.find((option) => option.ariaSelected === "true");
  }

  /** List what is found; with `go` show the chosen or the first of them. */
  look(text, go) {
    const found = segmentsMatching(this.texts, text);
    if (go && (found.length || this.chosen)) {
      this.take(this.chosen ? Number(this.chosen.dataset.place) : found[0]);
      return;
    }
    const missing = Boolean(text.trim()) && !found.length;
    byId("not-found").hidden = !missing;
    byId("not-found").textContent = missing ? `No segment \u201c${text.trim()}\u201d; nearest:` : "";
    const listed = missing ? nearestSegments(this.texts, text, NEAREST) : found;
    byId("found").replaceChildren(...listed.map((n, k) => this.option(n, k)));
    byId("found").hidden = !listed.length;
    byId("search").setAttribute("aria-expanded", String(listed.length > 0));
    byId("search").removeAttribute("aria-activedescendant");
  }

  /** Write `text`, which is no segment's id, into the field and list what is like it. */
  offer(text) {
    byId("search").value = text;
    this.look(text, false);
  }

  option(n, k) {
    const { ids, names } = this.data;
    const option = element("li", "", element("span", "", names[n] || ids[n]));
    if (names[n]) option.append(element("small", "", ids[n]));
    Object.assign(option, { id: `found-${k}`, role: "option" });
    option.dataset.place = n;
    option.addEventListener("click", () => this.take(n));
    return option;
  }

  key(event) {
    if (event.key === "Escape") this.close();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], { options } = this;
    if (!step || !options.length) return;
    event.preventDefault();
    const now = options.indexOf(this.chosen);
    const next = now < 0 && step < 0 ? options.length - 1 : (now + step + options.length) % options.length;
    options.forEach((option, k) => option.setAttribute("aria-selected", String(k === next)));
    byId("search").setAttribute("aria-activedescendant", options[next].id);
  }

  take(n) {
    this.close();
    byId("search").value = this.data.names[n] || this.data.ids[n];
    this.find(n);
  }

  close() {
    byId("found").hidden = true;
    byId("not-found").hidden = true;
    byId("search").setAttribute("aria-expanded", "false");
  }
}
