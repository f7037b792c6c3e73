/**
 * Finds calls on the page of the APIs: those with all the words typed stay, the others go.
 *
 * The page is whole without this; the field appears only where it works. What was looked for is
 * part of the address, so that it can be passed on.
 */

const form = one("#find");
const field = /** @type {HTMLInputElement} */ (one("#words"));
const found = one("#found");
const calls = all(".call").map((call) => ({
  call,
  link: one(`[data-of="${CSS.escape(call.id)}"]`),
  text: (call.textContent ?? "").toLowerCase(),
}));
const chapters = all("[data-chapter]");

/** @param {string} selector */
function one(selector) {
  return /** @type {HTMLElement} */ (document.querySelector(selector)); // the template has it
}

/** @param {string} selector */
function all(selector) {
  return /** @type {HTMLElement[]} */ ([...document.querySelectorAll(selector)]);
}

function look() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const { call, link, text } of calls) {
    const fits = words.every((word) => text.includes(word));
    call.hidden = link.hidden = !fits;
    count += fits ? 1 : 0;
  }
  for (const chapter of chapters) {
    chapter.hidden = !chapter.querySelector(".call:not([hidden]), li:not([hidden])");
  }
  found.textContent = words.length ? `${count} ${count === 1 ? "call" : "calls"} found` : "";
}

function remember() {
  const here = new URL(location.href);
  if (field.value) here.searchParams.set("q", field.value);
  else here.searchParams.delete("q");
  history.replaceState(null, "", here);
}

field.value = new URL(location.href).searchParams.get("q") ?? "";
field.addEventListener("input", () => {
  look();
  remember();
});
form.addEventListener("submit", (event) => event.preventDefault());
form.hidden = false;
look();
