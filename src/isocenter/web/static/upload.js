// @ts-check
// Uploads of files, folders and ZIP files: some requests at a time, bytes counted, failures told, nothing kept that
// grows with the number of files. Without this script the form of the page sends its files in one go.

const IN_FLIGHT = 4;
const REQUEST_FILES = 40;
const REQUEST_BYTES = 16 * 1024 * 1024; // small files share a request; a large one has its own
const FAILURES_SHOWN = 50;
const FAILURES_KEPT = 2000; // that can be tried again
const STUDIES_SHOWN = 8;

const box = document.getElementById("upload-progress");
/** @param {string} name */
const part = name => /** @type {HTMLElement} */ (box?.querySelector(`[data-${name}]`));
const target = box?.dataset.target ?? "";

/** @typedef {{ file: File, name: string }} Item */
const state = {
  found: 0, done: 0, stored: 0, known: 0, failed: 0, bytesFound: 0, bytesSent: 0, isRunning: false, isStopped: false, isLooking: false,
};
/** @type {AsyncIterator<Item>[]} */ let sources = [];
/** @type {Set<XMLHttpRequest>} */ const inFlight = new Set();
/** @type {Item[]} */ let again = [];
/** @type {Set<string>} */ const studies = new Set();
/** @type {Promise<Item | undefined>} */ let turn = Promise.resolve(undefined);

/** Yield the files of a picker. @param {Iterable<File>} files @returns {AsyncGenerator<Item>} */
async function* ofFiles(files) {
  for (const file of files) yield { file, name: file.webkitRelativePath || file.name };
}

/** Yield what was dropped, folders opened one after the other. @param {FileSystemEntry[]} entries @returns {AsyncGenerator<Item>} */
async function* ofEntries(entries) {
  for (const entry of entries) {
    if (entry.isFile) {
      const file = await new Promise((done, failed) => /** @type {FileSystemFileEntry} */ (entry).file(done, failed)).catch(() => null);
      if (file) yield { file, name: entry.fullPath.replace(/^\//, "") };
      else fail(entry.fullPath, "It cannot be read.");
    } else {
      const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
      for (;;) { // a reader gives a hundred at a time, none at its end
        const some = await new Promise((done, failed) => reader.readEntries(done, failed)).catch(() => []);
        if (!some.length) break;
        yield* ofEntries(some);
      }
    }
  }
}

/** The next file of all that was chosen; callers take turns. @returns {Promise<Item | undefined>} */
function nextItem() {
  turn = turn.then(async () => {
    while (sources.length && !state.isStopped) {
      const next = await sources[0].next();
      if (!next.done) {
        state.found += 1;
        state.bytesFound += next.value.file.size;
        return next.value;
      }
      sources.shift();
    }
    return undefined;
  });
  return turn;
}

/** @type {Item | undefined} */ let left;
/** The files of the next request. @returns {Promise<Item[]>} */
async function nextRequest() {
  const items = [];
  let bytes = 0;
  while (items.length < REQUEST_FILES) {
    const item = left ?? (await nextItem());
    left = undefined;
    if (!item) break;
    if (items.length && bytes + item.file.size > REQUEST_BYTES) {
      if (left) items.push(item); // another request left one meanwhile
      else left = item;
      break;
    }
    items.push(item);
    bytes += item.file.size;
  }
  return items;
}

/** Send files in one request, and note what became of them. @param {Item[]} items */
function send(items) {
  return new Promise(resolve => {
    const form = new FormData();
    let bytes = 0, counted = 0;
    for (const { file, name } of items) {
      form.append("files", file, name);
      bytes += file.size;
    }
    const request = new XMLHttpRequest();
    request.open("POST", target);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = event => {
      const sent = event.lengthComputable ? Math.min(bytes, Math.round(bytes * event.loaded / event.total)) : counted;
      state.bytesSent += sent - counted;
      counted = sent;
      paint();
    };
    request.onloadend = () => {
      inFlight.delete(request);
      state.bytesSent += bytes - counted;
      state.done += items.length;
      settle(items, request);
      paint();
      resolve(undefined);
    };
    inFlight.add(request);
    request.send(form);
  });
}

/** @param {Item[]} items @param {XMLHttpRequest} request */
function settle(items, request) {
  let answer = null;
  try { answer = JSON.parse(request.responseText); } catch { /* told below */ }
  if (request.status === 200 && answer) {
    state.stored += answer.stored;
    state.known += answer.known;
    for (const uid of answer.studies) if (studies.size <= STUDIES_SHOWN) studies.add(uid);
    answer.failures.forEach(({ name, reason }) => fail(name, reason));
    state.failed += answer.failed - answer.failures.length;
    return;
  }
  const reason = state.isStopped ? "Stopped before it was sent."
    : answer?.error ?? (request.status === 0 ? "The connection broke off; it can be tried again."
    : request.status === 200 || request.status === 401 ? "You are not signed in any more; sign in and try again." : `The node answered with status ${request.status}.`);
  for (const item of items) {
    if (again.length < FAILURES_KEPT) again.push(item);
    fail(item.name, reason);
  }
}

/** @param {string} name @param {string} reason */
function fail(name, reason) {
  state.failed += 1;
  const list = part("failures");
  const line = document.createElement("li");
  const title = document.createElement("b");
  title.append(Object.assign(document.createElement("bdi"), { textContent: name }));
  line.append(title, ` ${reason}`);
  list.prepend(line);
  while (list.childElementCount > FAILURES_SHOWN) list.lastElementChild?.remove();
}

let painting = 0;
function paint() {
  painting ||= requestAnimationFrame(() => {
    painting = 0;
    const words = [`${state.stored.toLocaleString("en")} stored`];
    if (state.known) words.push(`${state.known.toLocaleString("en")} here already`);
    if (state.failed) words.push(`${state.failed.toLocaleString("en")} not stored`);
    const begin = state.isRunning ? `${state.done.toLocaleString("en")} of ${state.found.toLocaleString("en")} files` : state.isStopped ? "Stopped" : "Done";
    part("said").textContent = `${begin}: ${words.join(", ")}`;
    part("bytes").textContent = `${size(state.bytesSent)} of ${size(state.bytesFound)}`;
    const bar = /** @type {HTMLProgressElement} */ (part("bar"));
    bar.value = state.bytesFound ? state.bytesSent / state.bytesFound : state.isRunning ? 0 : 1;
    part("stop").hidden = !state.isRunning;
    part("again").hidden = state.isRunning || !again.length;
    part("close").hidden = state.isRunning;
    const results = part("results");
    if (results.dataset.count !== String(studies.size)) {
      results.dataset.count = String(studies.size);
      results.replaceChildren(...[...studies].slice(0, STUDIES_SHOWN).flatMap((uid, number) => {
        const link = document.createElement("a");
        link.href = (box?.dataset.studies ?? "") + encodeURIComponent(uid);
        link.textContent = `Study ${number + 1}`;
        return [link, " "];
      }), studies.size > STUDIES_SHOWN ? "and more" : "");
    }
  });
}

/** @param {number} bytes */
function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1000; unit += 1; }
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

/** Upload what a source gives, beside what is under way. @param {AsyncIterator<Item>} source */
async function upload(source) {
  if (!box) return;
  box.hidden = false;
  sources.push(source);
  if (state.isRunning) return;
  Object.assign(state, { found: 0, done: 0, stored: 0, known: 0, failed: 0, bytesFound: 0, bytesSent: 0, isRunning: true, isStopped: false });
  part("failures").replaceChildren();
  studies.clear();
  again = [];
  paint();
  const worker = async () => {
    for (;;) {
      const items = await nextRequest();
      if (!items.length) return;
      await send(items);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  sources = [];
  left = undefined;
  state.isRunning = false;
  paint();
}

addEventListener("beforeunload", event => { if (state.isRunning) event.preventDefault(); });

if (box) {
  part("stop").addEventListener("click", () => {
    state.isStopped = true;
    inFlight.forEach(request => request.abort());
  });
  part("again").addEventListener("click", () => {
    const items = again;
    upload((async function* () { yield* items; })());
  });
  part("close").addEventListener("click", () => { box.hidden = true; });

  const zone = document.getElementById("drop-here");
  let depth = 0;
  /** @param {DragEvent} event */
  const hasFiles = event => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", event => { if (hasFiles(event) && zone) { depth += 1; zone.hidden = false; } });
  addEventListener("dragleave", event => { if (hasFiles(event) && zone && --depth <= 0) { depth = 0; zone.hidden = true; } });
  addEventListener("dragover", event => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener("drop", event => {
    if (!hasFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    depth = 0;
    if (zone) zone.hidden = true;
    const entries = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry?.()).filter(entry => entry !== null && entry !== undefined);
    upload(entries.length ? ofEntries(entries) : ofFiles([...event.dataTransfer.files]));
  });

  const form = document.getElementById("upload-form");
  form?.querySelectorAll("[data-folder]").forEach(one => { /** @type {HTMLElement} */ (one).hidden = false; });
  form?.addEventListener("change", event => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (!input.files?.length) return;
    const files = input.files;
    upload(ofFiles(files)).then(() => { input.value = ""; });
  });
  form?.querySelector("button[type=submit]")?.remove();
}
