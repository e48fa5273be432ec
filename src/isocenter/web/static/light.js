// @ts-check
// Scrolling, windowing, zoom and film on top of a page that works without this script.

const AHEAD = 4, BACK = 2, AHEAD_PLAYING = 12;
const KEPT_MAX = 96; // pictures; a hundred of them are some megabytes
const EDGES = [512, 768, 1024], MAGNIFIED_EDGE_MAX = 2048;
const ZOOM_MAX = 12, TAP_MS = 300, TAP_PX = 30, DRAG_PX = 6, WHEEL_PX = 60, ADDRESS_MS = 250;

/** @typedef {{instance: string, version: string, frames: number, rows: number, columns: number, grey: boolean, inverted: boolean, window: number[] | null, edges: string[], bar: [number, string] | null}} Picture */
/** @param {string} id @returns {any} */
const byId = id => document.getElementById(id);
const stage = byId("stage"), moving = byId("moving"), picture = byId("picture"), slider = byId("slider"), rate = byId("rate");
const data = stage.dataset, count = Number(data.count);
/** @type {Picture[]} */
let images = [{ instance: data.instance, version: data.version, frames: 1, ...JSON.parse(data.facts) }];
let firsts = [Number(data.position)]; // the position of each image's first frame, and behind them the end
let frameOffset = Number(data.frame) - 1; // until the whole series is known
let position = Number(data.position);
let chosen = data.window ? data.window.split(",").map(Number) : null;
let shown = chosen ?? images[0].window; // the window of the picture on the screen
let zoom = 1, panX = 0, panY = 0, playing = false, isWhole = false;
/** @type {Map<string, HTMLImageElement>} */
const kept = new Map();

/** The image at a position and its frame. @param {number} at */
function locate(at) {
  let low = 0, high = images.length - 1;
  while (low < high) { const middle = (low + high + 1) >> 1; if (firsts[middle] <= at) low = middle; else high = middle - 1; }
  return { image: images[low], frame: at - firsts[low] + 1 + (isWhole ? 0 : frameOffset) };
}

/** @param {number} at */
function knows(at) { return isWhole ? at >= 1 && at < firsts[images.length] : at === position; }

/** How large a picture is worth asking for. @param {Picture} image */
function edgeFor(image) {
  const side = Math.max(image.rows, image.columns) || 1024;
  const need = Math.max(stage.clientWidth, stage.clientHeight) * devicePixelRatio * zoom;
  if (zoom > 1.2 && need > 1024) return Math.min(side, MAGNIFIED_EDGE_MAX);
  return Math.min(side, EDGES.find(edge => edge >= need) ?? 1024);
}

/** @param {Record<string, unknown>} values */
function query(values) {
  const parts = Object.entries(values).filter(([, value]) => value).map(([name, value]) => `${name}=${value}`);
  if (data.partition !== "Microsoft.Default") parts.push(`partition=${encodeURIComponent(data.partition)}`);
  return parts.length ? "?" + parts.join("&") : "";
}

/** @param {number} at */
function addressOf(at) {
  const { image, frame } = locate(at);
  return `${data.base}/${image.instance}/frames/${frame}${query({ v: image.version, edge: edgeFor(image), window: chosen?.join(",") })}`;
}

/** A picture that is loading or loaded. @param {string} address */
function load(address) {
  let image = kept.get(address);
  if (!image) {
    image = new Image();
    image.decoding = "async";
    image.src = address;
  }
  kept.delete(address);
  kept.set(address, image); // the newest last
  for (const [old, other] of kept) {
    if (kept.size <= KEPT_MAX) break;
    if (!other.complete) other.src = "";
    kept.delete(old);
  }
  return image;
}

function prefetch() {
  const wanted = new Set([addressOf(position)]);
  const steps = [...Array(playing ? AHEAD_PLAYING : AHEAD).keys()].map(step => step + 1).concat(playing ? [] : Array.from({ length: BACK }, (_, step) => -step - 1));
  for (const step of steps) {
    const at = playing ? (position - 1 + step) % count + 1 : position + step;
    if (knows(at)) wanted.add(addressOf(at));
  }
  for (const [address, image] of kept) if (!image.complete && !wanted.has(address)) { image.src = ""; kept.delete(address); }
  wanted.delete(addressOf(position)); // who draws it loads it
  wanted.forEach(load);
}

/** Show a picture as soon as it is here; what was asked for meanwhile wins. */
async function draw() {
  const address = addressOf(position), at = position, { image: facts } = locate(at);
  const window = chosen ?? facts.window, image = load(address);
  describe(facts);
  prefetch();
  try {
    await image.decode();
  } catch {
    if (address === addressOf(position) && at === position) await tell(address);
    return;
  }
  if (address !== addressOf(position) || at !== position) return;
  byId("trouble").hidden = true;
  picture.removeAttribute("srcset");
  picture.src = address;
  picture.style.filter = "";
  shown = window;
}

/** Say why there is no picture; a session that ended leads to the sign-in. @param {string} address */
async function tell(address) {
  kept.delete(address);
  const answer = await fetch(address).catch(() => null);
  if (answer?.status === 401) return location.reload();
  if (answer?.ok) return; // it is here now; the next step shows it
  byId("trouble").textContent = answer ? `This picture cannot be shown. ${await answer.text()}` : "The node cannot be reached. Try again when the connection is back.";
  byId("trouble").hidden = false;
}

let addressTimer = 0;
/** Bring texts, letters and links in step. @param {Picture} facts */
function describe(facts) {
  const { image, frame } = locate(position);
  byId("position").textContent = String(position);
  slider.value = String(position);
  picture.alt = `Picture ${position} of ${count}`;
  const window = chosen ?? facts.window;
  levels(facts.grey ? window : null);
  stage.querySelectorAll("[data-edge]").forEach((/** @type {any} */ side) => (side.textContent = facts.edges[side.dataset.edge]));
  const scale = byId("scale"), { rows, columns, bar } = facts;
  scale.toggleAttribute("hidden", !bar);
  if (bar) {
    scale.setAttribute("viewBox", `0 0 ${columns} ${rows}`);
    scale.querySelector("path").setAttribute("d", `M${(columns - bar[0]) / 2} ${rows * 0.965}h${bar[0]}`);
    const label = scale.querySelector("text");
    label.textContent = bar[1];
    Object.entries({ x: columns / 2, y: rows * 0.95, "font-size": rows / 32 }).forEach(([name, value]) => label.setAttribute(name, String(value)));
  }
  document.querySelectorAll("[data-preset]").forEach((/** @type {any} */ link) =>
    link.toggleAttribute("aria-current", link.dataset.preset === (chosen?.join(",") ?? "")));
  clearTimeout(addressTimer);
  addressTimer = later(() => {
    const place = `${data.base}/${image.instance}`;
    history.replaceState(null, "", place + query({ frame: frame > 1 ? frame : "", window: chosen?.join(",") }));
    byId("attributes").href = place + "/attributes" + query({});
  });
  for (const [id, step] of /** @type {[string, number][]} */ ([["previous", -1], ["next", 1]])) {
    const link = byId(id), at = position + step;
    if (!knows(at)) { if (isWhole) link.removeAttribute("href"); continue; }
    const to = locate(at);
    link.href = `${data.base}/${to.image.instance}${query({ frame: to.frame > 1 ? to.frame : "", window: chosen?.join(",") })}`;
  }
}

/** @param {() => void} act */
function later(act) { return Number(setTimeout(act, ADDRESS_MS)); }

/** @param {number[] | null | undefined} window */
function levels(window) {
  byId("levels").textContent = window ? `W ${tidy(window[1])} L ${tidy(window[0])}` : "";
}

/** @param {number} value */
function tidy(value) { return Math.abs(value) >= 20 ? Math.round(value) : Number(value.toPrecision(3)); }

/** @param {number} at */
function go(at) {
  const wanted = Math.min(Math.max(at, 1), count);
  if (wanted === position || !knows(wanted)) return;
  position = wanted;
  draw();
}

// The window: live by a filter over the picture, exact from the node when the hand lets go.

/** @param {number[]} window */
function preview(window) {
  if (!shown) return;
  const { image } = locate(position), [center, width] = shown;
  const slope = width / window[1];
  const offset = ((center - width / 2) - (window[0] - window[1] / 2)) / window[1];
  const intercept = image.inverted ? 1 - slope - offset : offset;
  for (const each of stage.querySelectorAll("feComponentTransfer > *")) {
    each.setAttribute("slope", String(slope));
    each.setAttribute("intercept", String(intercept));
  }
  picture.style.filter = "url(#windowed)";
  levels(window);
}

/** The window of a picture that names none. */
async function learnWindow() {
  const { image, frame } = locate(position);
  if (!image.grey || image.window) return;
  const answer = await fetch(`${data.base}/${image.instance}/frames/${frame}/window${query({})}`).catch(() => null);
  if (!answer?.ok) return;
  image.window = await answer.json();
  if (locate(position).image === image) { shown ??= image.window; levels(chosen ?? image.window); }
}

/** @param {number[] | null} window */
function setWindow(window) {
  chosen = window && [tidy(window[0]), Math.max(tidy(window[1]), 0.001)];
  draw();
}

// Zoom and pan.

/** @param {number} factor @param {number} [x] @param {number} [y] */
function zoomBy(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const before = zoom;
  zoom = Math.min(Math.max(zoom * factor, 1), ZOOM_MAX);
  panX = x - (x - panX) * (zoom / before);
  panY = y - (y - panY) * (zoom / before);
  place();
  if (Math.abs(zoom - before) > 0.001) clearTimeout(sharpenTimer), sharpenTimer = later(draw);
}
let sharpenTimer = 0;

function place() {
  panX = Math.min(0, Math.max(panX, stage.clientWidth * (1 - zoom)));
  panY = Math.min(0, Math.max(panY, stage.clientHeight * (1 - zoom)));
  moving.style.transform = zoom === 1 ? "" : `translate(${panX}px, ${panY}px) scale(${zoom})`;
  byId("magnification").textContent = zoom === 1 ? "" : `${zoom.toFixed(1)}×`;
}

// One pointer scrolls, windows, or pans what is magnified; two pinch.

/** @type {Map<number, {x: number, y: number}>} */
const pointers = new Map();
/** @type {{kind: string, x: number, y: number, position: number, window: number[] | null, panX: number, panY: number} | null} */
let drag = null;
let pinch = { distance: 0, x: 0, y: 0 }, lastTap = { at: 0, x: 0, y: 0 }, dragged = null;

/** @param {PointerEvent} event */
function local(event) {
  const box = stage.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function span() {
  const [one, two] = [...pointers.values()];
  return { distance: Math.hypot(one.x - two.x, one.y - two.y) || 1, x: (one.x + two.x) / 2, y: (one.y + two.y) / 2 };
}

stage.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
  if (event.button > 1) return;
  const at = local(event);
  pointers.set(event.pointerId, at);
  stage.setPointerCapture(event.pointerId);
  if (pointers.size === 2) { pinch = span(); drag = null; picture.style.filter = ""; }
  else if (pointers.size === 1) {
    const pans = zoom > 1 || event.button === 1 || event.shiftKey;
    drag = { kind: pans ? "pan" : "", ...at, position, window: chosen ?? locate(position).image.window ?? shown, panX, panY };
  }
});

stage.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
  if (!pointers.has(event.pointerId)) return;
  const at = local(event);
  pointers.set(event.pointerId, at);
  if (pointers.size === 2) {
    const now = span();
    panX += now.x - pinch.x; panY += now.y - pinch.y;
    zoomBy(now.distance / pinch.distance, now.x, now.y);
    pinch = now;
    return;
  }
  if (!drag) return;
  const dx = at.x - drag.x, dy = at.y - drag.y;
  if (!drag.kind && Math.hypot(dx, dy) > DRAG_PX) {
    drag.kind = Math.abs(dx) > Math.abs(dy) && locate(position).image.grey ? "window" : "scroll";
    if (drag.kind === "window") learnWindow();
  }
  if (drag.kind === "scroll") go(drag.position + Math.round(dy / Math.max(4, stage.clientHeight / count)));
  if (drag.kind === "pan") { panX = drag.panX + dx; panY = drag.panY + dy; place(); }
  if (drag.kind === "window") {
    drag.window ??= locate(position).image.window;
    if (!drag.window) return;
    dragged = [drag.window[0] + dy * drag.window[1] / 300, drag.window[1] * Math.exp(dx / 200)];
    preview(dragged);
  }
});

/** @param {PointerEvent} event */
function lift(event) {
  const at = local(event), was = drag;
  if (!pointers.delete(event.pointerId)) return;
  drag = null;
  if (was?.kind === "window" && dragged) setWindow(dragged);
  dragged = null;
  if (event.type !== "pointerup" || !was || Math.hypot(at.x - was.x, at.y - was.y) > DRAG_PX) return;
  const isSecond = event.timeStamp - lastTap.at < TAP_MS && Math.hypot(at.x - lastTap.x, at.y - lastTap.y) < TAP_PX;
  lastTap = { at: isSecond ? 0 : event.timeStamp, ...at };
  if (isSecond) zoomBy(zoom > 1 ? 1 / zoom : 2.5, at.x, at.y);
}
stage.addEventListener("pointerup", lift);
stage.addEventListener("pointercancel", lift);

let turned = 0;
stage.addEventListener("wheel", (/** @type {WheelEvent} */ event) => {
  event.preventDefault();
  const box = stage.getBoundingClientRect();
  if (event.ctrlKey) return zoomBy(Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
  turned += event.deltaMode ? event.deltaY * WHEEL_PX : event.deltaY;
  const steps = Math.trunc(turned / WHEEL_PX);
  turned -= steps * WHEEL_PX;
  go(position + steps);
}, { passive: false });

// Film.

let due = 0;
/** @param {boolean} wanted */
function play(wanted) {
  playing = wanted && count > 1;
  byId("play").textContent = playing ? "Pause" : "Play";
  byId("play").setAttribute("aria-pressed", String(playing));
  due = performance.now();
  if (playing) requestAnimationFrame(turn);
}

/** @param {number} now */
function turn(now) {
  if (!playing) return;
  const step = 1000 / Math.min(Math.max(Number(rate.value) || 1, 1), 60);
  const next = position % count + 1;
  if (now >= due && knows(next) && load(addressOf(next)).complete) {
    due = Math.max(due + step, now - step); // what the link is too slow for is not made up
    go(next);
  }
  requestAnimationFrame(turn);
}

// Buttons and keys.

byId("play").addEventListener("click", () => play(!playing));
byId("larger").addEventListener("click", () => zoomBy(1.5));
byId("smaller").addEventListener("click", () => zoomBy(1 / 1.5));
byId("fit").addEventListener("click", () => zoomBy(1 / zoom));
slider.addEventListener("input", () => go(Number(slider.value)));
document.addEventListener("click", event => {
  const link = /** @type {Element} */ (event.target).closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const step = { previous: -1, next: 1 }[link.id];
  if (step && knows(position + step)) { event.preventDefault(); go(position + step); }
  if (link.dataset.preset !== undefined) {
    event.preventDefault();
    setWindow(link.dataset.preset ? link.dataset.preset.split(",").map(Number) : null);
  }
});

/** @type {Record<string, () => void>} */
const KEYS = {
  ArrowDown: () => go(position + 1), ArrowRight: () => go(position + 1), ArrowUp: () => go(position - 1), ArrowLeft: () => go(position - 1),
  PageDown: () => go(position + 10), PageUp: () => go(position - 10), Home: () => go(1), End: () => go(count), " ": () => play(!playing),
  "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), "0": () => zoomBy(1 / zoom),
};
document.addEventListener("keydown", event => {
  const isTyping = /** @type {Element} */ (event.target).matches("input, textarea, select") || (event.key === " " && /** @type {Element} */ (event.target).matches("a, button"));
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = KEYS[event.key] ?? (() => {
    const preset = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-preset]"))[Number(event.key) - 1];
    return preset && (() => preset.click());
  })();
  if (act) { event.preventDefault(); act(); }
});
addEventListener("resize", place);

/** A series without a picture shows its modality. @param {EventTarget | null} image */
function dropBroken(image) {
  if (image instanceof HTMLImageElement && image.complete && !image.naturalWidth && image.closest(".thumb")) image.remove();
}
document.addEventListener("error", event => dropBroken(event.target), true);
document.querySelectorAll(".thumb img").forEach(dropBroken);
document.querySelector(".strip [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

/** Learn the whole series once the first picture is there. */
async function begin() {
  slider.hidden = byId("film").hidden = count < 2;
  byId("zooming").hidden = false;
  await picture.decode().catch(() => tell(picture.currentSrc || picture.src));
  const answer = await fetch(data.stack).catch(() => null);
  if (answer?.ok) {
    const found = /** @type {Picture[]} */ ((await answer.json()).images);
    const ends = [1];
    for (const image of found) ends.push(ends[ends.length - 1] + image.frames);
    if (found.length) { images = found; firsts = ends; isWhole = true; }
  }
  learnWindow();
  describe(locate(position).image);
  prefetch();
  stage.dataset.ready = "";
}
begin();
