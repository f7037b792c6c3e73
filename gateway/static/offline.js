/**
 * Lets the browser keep what `sw.js` shows when the house cannot be reached.
 *
 * Under Trusted Types only a policy may name a worker's script, and ours names this one only.
 * Where a browser keeps no worker (plain http from another machine, say) nothing is lost but
 * that page.
 */

const WORKER = "/sw.js";

/** @param {string} url */
function ours(url) {
  if (url !== WORKER) throw new TypeError(url);
  return url;
}

/** @type {{trustedTypes?: {createPolicy(name: string, rules: {createScriptURL: (url: string) => string}): {createScriptURL(url: string): string}}}} */
const { trustedTypes } = /** @type {any} */ (globalThis);

async function keep() {
  const named = trustedTypes ? trustedTypes.createPolicy("house", { createScriptURL: ours }).createScriptURL(WORKER) : WORKER;
  await navigator.serviceWorker.register(named);
  const { active } = await navigator.serviceWorker.ready;
  active?.postMessage({ locale: document.documentElement.lang });
}

if ("serviceWorker" in navigator) {
  keep().catch(() => {
    // The browser keeps nothing, by its user's wish or ours; the pages work as they did.
  });
}
