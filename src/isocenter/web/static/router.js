// @ts-check
// Comfort on the router's pages: a file that is dropped is tried at once, and a problem leads to its line.

const drop = document.getElementById("drop");
const form = /** @type {HTMLFormElement | null} */ (document.getElementById("try"));
const chosen = /** @type {HTMLInputElement | null} */ (form?.querySelector("input[type=file]") ?? null);

if (drop && form && chosen) {
  const over = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    drop.classList.add("over");
  };
  drop.addEventListener("dragenter", over);
  drop.addEventListener("dragover", over);
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", event => {
    event.preventDefault();
    drop.classList.remove("over");
    if (!event.dataTransfer?.files.length) return;
    chosen.files = event.dataTransfer.files;
    form.requestSubmit();
  });
  chosen.addEventListener("change", () => {
    const told = document.getElementById("dropped");
    if (told && chosen.files?.[0]) told.textContent = chosen.files[0].name;
  });
}

/** Select a line of the text. @param {HTMLTextAreaElement} area @param {number} line */
function select(area, line) {
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((length, one) => length + one.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  area.scrollTop = (area.scrollHeight / Math.max(lines.length, 1)) * Math.max(0, line - 4);
}

document.addEventListener("click", event => {
  const link = /** @type {Element} */ (event.target).closest("a[data-line]");
  const area = document.getElementById("text");
  if (!(link instanceof HTMLElement) || !(area instanceof HTMLTextAreaElement)) return;
  event.preventDefault();
  select(area, Number(link.dataset.line));
});

// On a narrow screen the tab of this page may lie outside.
document.querySelector(".tabs a[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
