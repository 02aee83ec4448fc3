// What the page carries: a header in JSON, named arrays in one packed block, and the library.
// The shapes: N segments, I times of issue, H horizons, T past slices.

const NONE = 255; // of the arrays of one byte: no answer
const NEVER_SEEN_MIN = 65535;
const PROBABILITY_STEP = 0.005;
const ARRAY_TYPES = {
  uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array,
  uint32: Uint32Array, float32: Float32Array, float64: Float64Array,
};

/** Return the unpacked bytes of the element, whose text is base64 of a gzip file. */
async function unpackedBytes(elementId) {
  const text = atob(document.getElementById(elementId).textContent.trim());
  const packed = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) packed[k] = text.charCodeAt(k);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Return the named arrays of `block`; throws where one of them reaches beyond its end. */
function namedArrays(header, block) {
  const arrays = {};
  for (const [name, { type, offset, shape }] of Object.entries(header.arrays)) {
    const count = shape.reduce((product, length) => product * length, 1);
    arrays[name] = new ARRAY_TYPES[type](block, offset, count);
  }
  return arrays;
}

/** Read everything that the page shows. Speeds are in km/h, probabilities from 0 to 1. */
async function readForecasts() {
  const header = JSON.parse(document.getElementById("header").textContent);
  const arrays = namedArrays(header, await unpackedBytes("data"));
  const N = header.segments, H = header.horizons_min.length, I = header.issued_at.length;
  const lines = (name) => new TextDecoder().decode(arrays[name]).split("\n");
  const place = (i, h, n) => (i * H + h) * N + n;
  const scaled = (value, step) => (value === NONE ? null : value * step);
  const number = (name, step, i, h, n) => (
    arrays[name] ? scaled(arrays[name][place(i, h, n)], step) : null);
  const speedOf = (name) => (i, h, n) => number(name, header.speed_step_kph, i, h, n);
  const T = arrays.observed ? arrays.observed.length / N : 0;
  const observedAt = (slice, n) => (slice < 0 || slice >= T
    ? null : scaled(arrays.observed[slice * N + n], header.speed_step_kph));
  const truthSlice = (i, h) => (arrays.target_slice ? arrays.target_slice[i * H + h] : -1);
  return {
    header, arrays, N, I, H, T, observedAt, truthSlice,
    ids: lines("ids_text"),
    names: lines("names_text"),
    has: (name) => name in arrays,
    sliceMs: header.slice_minutes * 60000,
    /** Place of the answered class in header.classes, or null. */
    congestion: (i, h, n) => {
      const answer = arrays.congestion ? arrays.congestion[place(i, h, n)] : NONE;
      return answer === NONE ? null : answer;
    },
    probability: (name, i, h, n) => number(`p_${name}`, PROBABILITY_STEP, i, h, n),
    speed: speedOf("speed"),
    slow: speedOf("speed_p10"),
    fast: speedOf("speed_p90"),
    rushHour: (i, h) => (
      arrays.p_rush_hour ? scaled(arrays.p_rush_hour[i * H + h], PROBABILITY_STEP) : null),
    fromHistory: (i, h) => Boolean(arrays.history_basis && arrays.history_basis[i * H + h]),
    /** Whether the segment has a row at any horizon of issue `i`. */
    answered: (i, n) => header.horizons_min.some((_, h) => (
      ["congestion", "speed"].some((name) => arrays[name] && arrays[name][place(i, h, n)] !== NONE))),
    seen: (i, n) => Boolean(arrays.seen && arrays.seen[i * N + n]),
    /** Minutes since the newest observation at the time of issue, or null. */
    age: (i, n) => {
      const age = arrays.age_min ? arrays.age_min[i * N + n] : NEVER_SEEN_MIN;
      return age === NEVER_SEEN_MIN ? null : age;
    },
    freeFlow: (n) => (arrays.free_flow_kph ? scaled(arrays.free_flow_kph[n], 1) : null),
    limit: (n) => scaled(arrays.limit_kph[n], 1),
    /** What was observed in the slice that the forecast is for, or null. */
    truth: (i, h, n) => observedAt(truthSlice(i, h), n),
  };
}
