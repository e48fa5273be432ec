// @ts-check
// Comfort on top of plain pages: every link and form here works without this script.

const form = document.querySelector("form.filters");

/** Open or close the series of a study in place, and keep the address in step. @param {HTMLAnchorElement} link */
async function toggle(link) {
  const row = document.getElementById(link.getAttribute("aria-controls") ?? "");
  const cell = row?.querySelector("td");
  if (!row || !cell) return;
  const opens = row.hidden;
  if (opens && !cell.childElementCount) {
    const answer = await fetch(link.dataset.series ?? "", { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok) return void location.assign(link.href);
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
  const link = target.closest("a, button");
  const toggler = /** @type {HTMLAnchorElement | null} */ (
    link ? link.closest("a.toggle") : target.closest("tr.study")?.querySelector("a.toggle"));
  if (!toggler || (!link && getSelection()?.toString())) return;
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

if (form instanceof HTMLFormElement) {
  const fields = () => /** @type {HTMLInputElement[]} */ ([...form.elements]).filter(field => field.name);
  form.addEventListener("submit", () => fields().forEach(field => (field.disabled = !field.value)));
  addEventListener("pageshow", () => fields().forEach(field => (field.disabled = false)));
  form.querySelector("select")?.addEventListener("change", () => form.requestSubmit());
}

// A sign-in goes on by itself; without this script a person presses the button.
/** @type {HTMLFormElement | null} */ (document.querySelector("form[data-send]"))?.requestSubmit();
/** @type {HTMLAnchorElement | null} */ (document.querySelector("a[data-go]"))?.click();

// What cannot be undone is asked about; without this script the page that follows asks.
document.addEventListener("submit", event => {
  const asked = event.target instanceof HTMLFormElement ? event.target.dataset.confirm : "";
  if (asked && !confirm(asked)) event.preventDefault();
});

// A notice is told once: neither a reload nor a bookmark tells it again.
if (new URL(location.href).searchParams.has("told")) {
  const address = new URL(location.href);
  address.searchParams.delete("told");
  history.replaceState(null, "", address);
}
