// @ts-check
// Comfort on top of plain pages: every link and form here works without this script.

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
