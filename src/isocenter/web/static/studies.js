// @ts-check
// Comfort of the study list: search as you type, series in place, arrivals shown. All of it works without this script.

const TYPING_PAUSE_MS = 250;
const ARRIVALS_PAUSE_MS = 4000; // a study of a thousand images asks for the list a few times, not a thousand

/** @type {HTMLFormElement | null} */
const form = document.querySelector("form.filters");
const fields = () => /** @type {HTMLInputElement[]} */ ([...(form?.elements ?? [])]).filter(field => field.name);

/** Show what an address says in the place of what was found. @param {URL} address */
async function show(address) {
  const shown = document.getElementById("found");
  const htmx = /** @type {any} */ (window).htmx;
  if (!shown || !htmx) return void location.assign(address);
  await htmx.ajax("GET", address.pathname + address.search, { source: shown, target: shown, select: "#found", swap: "outerMorph" });
  document.querySelectorAll(".picture img").forEach(dropBroken);
}

/** The address of what the form asks for, without what is empty; the first page of it. */
function wanted() {
  const address = new URL(form?.action ?? location.href);
  fields().forEach(field => field.value && address.searchParams.set(field.name, field.value));
  return address;
}

let typed = 0;
let isTyping = false;
function search() {
  clearTimeout(typed);
  const address = wanted();
  if (address.search === location.search) return;
  // One step back leads out of a search, however many letters it took.
  if (isTyping) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  isTyping = true;
  show(address);
}

if (form) {
  form.addEventListener("input", event => {
    if (!(/** @type {HTMLInputElement} */ (event.target).name)) return;
    clearTimeout(typed);
    typed = setTimeout(search, TYPING_PAUSE_MS);
  });
  form.addEventListener("change", () => (isTyping = false));
  form.addEventListener("submit", event => {
    if (!(/** @type {any} */ (window).htmx)) return void fields().forEach(field => (field.disabled = !field.value));
    event.preventDefault();
    search();
  });
  addEventListener("pageshow", () => fields().forEach(field => (field.disabled = false)));
  addEventListener("popstate", () => {
    const parameters = new URL(location.href).searchParams;
    fields().forEach(field => (field.value = parameters.get(field.name) ?? ""));
    isTyping = false;
    show(new URL(location.href));
  });
}

let arrived = 0;
let shownAt = 0;
let isStale = false;
function refresh() {
  arrived = 0;
  isStale = true;
  const isBusy = document.querySelector("#found input:checked") || document.querySelectorAll(".series-row:not([hidden])").length > 1;
  const page = new URL(location.href).searchParams.get("page") ?? "1";
  if (isBusy || page !== "1" || document.hidden) return;
  isStale = false;
  shownAt = Date.now();
  show(new URL(location.href));
}
document.getElementById("live")?.addEventListener("studies", () => {
  arrived ||= setTimeout(refresh, Math.max(0, shownAt + ARRIVALS_PAUSE_MS - Date.now()));
});

document.addEventListener("visibilitychange", () => { if (isStale && !document.hidden) refresh(); });

/** Open or close the series of a study in place, and keep the address in step. @param {HTMLAnchorElement} link */
async function toggle(link) {
  const row = document.getElementById(link.getAttribute("aria-controls") ?? "");
  const cell = row?.querySelector("td");
  if (!row || !cell) return;
  const opens = row.hidden;
  if (opens && !cell.childElementCount) {
    const answer = await fetch(link.dataset.series ?? "", { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok || answer.redirected) return void location.assign(link.href);
    cell.innerHTML = await answer.text();
  }
  row.hidden = !opens;
  link.setAttribute("aria-expanded", String(opens));
  const address = new URL(location.href);
  if (opens) address.searchParams.set("opened", link.dataset.study ?? "");
  else address.searchParams.delete("opened");
  history.replaceState(null, "", address);
}

document.addEventListener("click", event => {
  const target = /** @type {Element} */ (event.target);
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const other = target.closest("a, button, input, label");
  const toggler = /** @type {HTMLAnchorElement | null} */ (
    other ? other.closest("a.toggle") : target.closest("tr.study")?.querySelector("a.toggle"));
  if (!toggler || (!other && getSelection()?.toString())) return;
  event.preventDefault();
  toggle(toggler);
});

document.addEventListener("keydown", event => {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  if (event.key === " " && focused?.matches("a.toggle")) {
    event.preventDefault();
    focused.click();
  } else if (event.key === "/" && !focused?.matches("input, select, textarea")) {
    event.preventDefault();
    /** @type {HTMLInputElement | null} */ (form?.querySelector("input[name=patient]"))?.select();
  }
});

/** Without a picture (a report, a plan) the modality behind it shows. @param {EventTarget | null} image */
function dropBroken(image) {
  if (image instanceof HTMLImageElement && image.complete && !image.naturalWidth) image.remove();
}
document.addEventListener("error", event => dropBroken(event.target), true);
document.querySelectorAll(".picture img").forEach(dropBroken);
