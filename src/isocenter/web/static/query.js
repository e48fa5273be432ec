// @ts-check
// Comfort on top of the search of another archive: a short address, and a button that says that it is waiting.

for (const form of document.querySelectorAll("form[data-search]")) {
  if (!(form instanceof HTMLFormElement)) continue;
  const fields = () => /** @type {HTMLInputElement[]} */ ([...form.elements]).filter(field => field.name);
  const button = form.querySelector("button[type=submit]");
  const label = button?.textContent ?? "";
  form.addEventListener("submit", () => {
    fields().forEach(field => (field.disabled = !field.value));
    button?.setAttribute("aria-busy", "true");
    if (button instanceof HTMLElement) button.textContent = button.dataset.busy ?? label;
  });
  addEventListener("pageshow", () => {
    fields().forEach(field => (field.disabled = false));
    button?.setAttribute("aria-busy", "false");
    if (button) button.textContent = label;
  });
}
