// @ts-check
// Copies a link by one press; without this script it is selected and copied by hand.

const field = /** @type {HTMLInputElement | null} */ (document.getElementById("share-link"));
const button = /** @type {HTMLButtonElement | null} */ (document.querySelector("button[data-copy]"));
if (field && button) {
  field.select();
  button.hidden = !navigator.clipboard; // over plain http there is none
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  });
}
