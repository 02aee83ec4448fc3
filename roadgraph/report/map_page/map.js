// The roads, drawn by deck.gl. Every point of every line has a colour and a width in two buffers
// of the graphics card; another layer or time overwrites them and leaves the lines as they are.

const ROAD_RANKS = {
  motorway: 6, trunk: 5, primary: 4, secondary: 3, tertiary: 2, detector: 3,
};
const RANK_WIDTHS_PX = [2, 2.6, 3.2, 3.8, 4.4, 5, 5.6]; // at WIDTH_ZOOM
const WIDTH_ZOOM = 14;
const WIDTH_GROWTH = 0.55, MOST_WIDE = 2.2; // lines grow by this power of two a level of zoom
const NARROWEST_PX = 1;
const HALO_PX = 3.5;
const SIDE = 0.62; // how far a direction stands beside the road's middle, in widths of its line
const CLOSEST_ZOOM = 16, MOST_ZOOM = 20;
const FLY_MS = 700;
const PICK_RADIUS_PX = { mouse: 5, finger: 16 };

const rankOf = (roadClass) => ROAD_RANKS[roadClass.replace(/_link$/, "")] ?? 1;
const widthScale = (zoom) => Math.min(2 ** ((zoom - WIDTH_ZOOM) * WIDTH_GROWTH), MOST_WIDE);

/** Return lines in the order in which they are drawn, the greatest roads last and so on top. */
function drawingOrder(data) {
  const { arrays, N } = data;
  const ranks = data.header.road_classes.map(rankOf);
  const order = Uint32Array.from({ length: N }, (_, n) => n);
  order.sort((a, b) => ranks[arrays.road_class[a]] - ranks[arrays.road_class[b]] || a - b);
  const starts = new Uint32Array(N + 1);
  const path = new Float64Array(arrays.points.length);
  const [lon, lat] = data.header.origin;
  let at = 0;
  order.forEach((n, place) => {
    starts[place] = at;
    for (let p = arrays.line_start[n]; p < arrays.line_start[n + 1]; p++, at++) {
      path[2 * at] = lon + arrays.points[2 * p];
      path[2 * at + 1] = lat + arrays.points[2 * p + 1];
    }
  });
  starts[N] = at;
  const placeOf = new Uint32Array(N);
  order.forEach((n, place) => { placeOf[n] = place; });
  const widths = Float32Array.from(order, (n) => RANK_WIDTHS_PX[ranks[arrays.road_class[n]]]);
  return { order, placeOf, starts, path, widths, pointCount: at };
}

class RoadMap {
  /**
   * @param library deck.gl
   * @param data of readForecasts
   * @param parent element that the map fills
   * @param insets function that returns the pixels at each side that panels cover
   * @param events hover({n, x, y} or null), pick(n or null), move(), drawn(), trouble(error)
   */
  constructor(library, data, parent, insets, events) {
    Object.assign(this, { library, data, parent, insets, events, marked: null, buffers: null });
    this.lines = drawingOrder(data);
    this.colours = new Uint8Array(4 * this.lines.pointCount);
    this.widths = new Float32Array(this.lines.pointCount);
    this.side = data.header.left_drive_offset ? -SIDE : SIDE;
    this.beside = [new library.PathStyleExtension({ offset: true })];
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.view = this.viewOf(data.header.bounds, MOST_ZOOM);
    // The event does not bubble; it comes where a phone needs the memory for another page.
    parent.addEventListener("webglcontextlost", () => events.trouble(new Error(
      "the browser took the graphics memory away from this page; load it again")), true);
    this.deck = new library.Deck({
      parent,
      views: new library.MapView({ id: "map" }),
      initialViewState: this.view,
      controller: {
        dragRotate: false, touchRotate: false, inertia: this.still ? false : 250,
        keyboard: { rotateSpeedX: 0, rotateSpeedY: 0 }, doubleClickZoom: true,
      },
      pickingRadius: window.matchMedia("(pointer: coarse)").matches
        ? PICK_RADIUS_PX.finger : PICK_RADIUS_PX.mouse,
      getCursor: ({ isDragging, isHovering }) => (
        isDragging ? "grabbing" : isHovering ? "pointer" : "grab"),
      onDeviceInitialized: (device) => this.begin(device),
      onViewStateChange: ({ viewState }) => this.moved(viewState),
      onHover: ({ index, x, y }) => events.hover(index < 0 ? null : { n: this.lines.order[index], x, y }),
      onClick: ({ index }) => events.pick(index < 0 ? null : this.lines.order[index]),
      onAfterRender: () => events.drawn(),
      onError: (error) => events.trouble(error),
    });
  }

  begin(device) {
    const { path, starts } = this.lines;
    this.buffers = {
      colours: device.createBuffer({ data: this.colours }),
      widths: device.createBuffer({ data: this.widths }),
    };
    this.binary = {
      length: this.data.N,
      startIndices: starts,
      attributes: {
        getPath: { value: path, size: 2 },
        getColor: { buffer: this.buffers.colours, type: "unorm8", size: 4 },
        getWidth: { buffer: this.buffers.widths, type: "float32", size: 1 },
      },
    };
    this.paint();
    queueMicrotask(() => this.draw());
  }

  /** Give every segment the colour and width of its step; steps are those of a layer. */
  paint(steps = this.steps, palette = this.palette) {
    Object.assign(this, { steps, palette });
    const { order, starts, widths } = this.lines;
    const colours = new Uint32Array(this.colours.buffer);
    for (let place = 0; place < order.length; place++) {
      const step = steps[order[place]];
      colours.fill(palette.packed[step], starts[place], starts[place + 1]);
      this.widths.fill(widths[place] * palette.widths[step], starts[place], starts[place + 1]);
    }
    if (!this.buffers) return;
    this.buffers.colours.write(this.colours);
    this.buffers.widths.write(this.widths);
    this.draw();
  }

  draw() {
    if (!this.binary || !this.deck) return;
    const shared = {
      widthUnits: "pixels", capRounded: true, jointRounded: true, antialiasing: true,
      _pathType: "open",
      positionFormat: "XY", extensions: this.beside,
    };
    const scale = widthScale(this.view.zoom);
    this.deck.setProps({
      layers: [
        new this.library.PathLayer({
          ...shared, id: "roads", data: this.binary, pickable: true, autoHighlight: true,
          highlightColor: this.palette.highlight, getOffset: this.side,
          widthScale: scale, widthMinPixels: NARROWEST_PX,
        }),
        ...(this.marked === null ? [] : this.markedLayers(shared)),
      ],
    });
  }

  /** Return the marked segment once more, over all others and with a rim. */
  markedLayers(shared) {
    const data = [{ path: this.pathOf(this.marked) }], inner = this.widthOf(this.marked);
    const layer = (id, width, getColor) => new this.library.PathLayer({
      ...shared, id, data, getPath: ({ path }) => path, getColor, getWidth: width,
      getOffset: (this.side * inner) / width,
    });
    return [
      layer("rim", inner + 2 * HALO_PX, this.palette.ink),
      layer("marked", inner, this.colourOf(this.marked)),
    ];
  }

  mark(n) {
    this.marked = n;
    this.draw();
  }

  moved(view) {
    this.view = view;
    if (this.binary) this.draw();
    this.events.move();
  }

  /** Return the width in pixels with which segment `n` is drawn now. */
  widthOf(n) {
    const wide = this.widths[this.lines.starts[this.lines.placeOf[n]]];
    return Math.max(wide * widthScale(this.view.zoom), NARROWEST_PX);
  }

  /** Return the points of segment `n` as flat longitudes and latitudes. */
  pathOf(n) {
    const place = this.lines.placeOf[n], { starts, path } = this.lines;
    return path.subarray(2 * starts[place], 2 * starts[place + 1]);
  }

  colourOf(n) {
    const at = 4 * this.lines.starts[this.lines.placeOf[n]];
    return Array.from(this.colours.subarray(at, at + 3));
  }

  /** Return the place in the window of the middle of segment `n`, on the line as it is drawn. */
  pick(n) {
    const viewport = this.deck.getViewports()[0];
    const line = this.pathOf(n), points = [];
    for (let k = 0; k < line.length; k += 2) points.push(viewport.project([line[k], line[k + 1]]));
    const lengths = points.slice(1).map(([x, y], k) => Math.hypot(x - points[k][0], y - points[k][1]));
    let rest = lengths.reduce((sum, length) => sum + length, 0) / 2;
    const k = Math.max(lengths.findIndex((length) => (rest -= length) <= 0), 0);
    const [[ax, ay], [bx, by]] = [points[k], points[k + 1]];
    const part = lengths[k] ? 1 + rest / lengths[k] : 0, away = this.side * this.widthOf(n);
    const across = lengths[k] ? [-(by - ay) / lengths[k], (bx - ax) / lengths[k]] : [0, 0];
    const box = this.parent.getBoundingClientRect();
    return {
      x: box.left + ax + (bx - ax) * part + away * across[0],
      y: box.top + ay + (by - ay) * part + away * across[1],
    };
  }

  /** Return the view that shows `bounds` (west, south, east, north) beside the panels. */
  viewOf([west, south, east, north], closest) {
    const { clientWidth: width, clientHeight: height } = this.parent;
    const inside = this.insets();
    // A panel that covers nearly all leaves the whole window to the map.
    const fits = inside.left + inside.right < width - 60 && inside.top + inside.bottom < height - 60;
    const viewport = new this.library.WebMercatorViewport({ width, height });
    const { longitude, latitude, zoom } = viewport.fitBounds(
      [[west, south], [east, north]],
      { padding: fits ? inside : 20, maxZoom: closest, minExtent: 1e-5 });
    return { longitude, latitude, zoom, maxZoom: MOST_ZOOM, minZoom: 1, pitch: 0, bearing: 0, maxPitch: 0 };
  }

  go(view, duration) {
    this.view = view;
    this.deck.setProps({
      initialViewState: this.still ? view : {
        ...view, transitionDuration: duration,
        transitionInterpolator: new this.library.LinearInterpolator(["longitude", "latitude", "zoom"]),
      },
    });
    this.draw();
    this.events.move();
  }

  showAll() {
    this.go(this.viewOf(this.data.header.bounds, MOST_ZOOM), FLY_MS);
  }

  flyTo(n) {
    const line = this.pathOf(n);
    const lons = line.filter((_, k) => k % 2 === 0), lats = line.filter((_, k) => k % 2 === 1);
    const bounds = [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
    this.go(this.viewOf(bounds, Math.max(CLOSEST_ZOOM, this.view.zoom)), FLY_MS);
  }

  zoomBy(levels) {
    const zoom = Math.min(Math.max(this.view.zoom + levels, 1), MOST_ZOOM);
    this.go({ ...this.view, zoom }, FLY_MS / 3);
  }
}
