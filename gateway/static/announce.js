/**
 * Speaking to a screen reader, through the two live regions that every page has.
 *
 * What is urgent (outbid, the lead, a refusal) is said at once. What is polite waits 700 ms, so
 * that a price that moves five times is read once; of one topic only the last is said, and what
 * is said of different topics goes together, because a region that changes again before it was
 * read is not read at all.
 *
 * Pure but for what is handed in: the regions need only a `textContent`.
 */

export const PAUSE_MS = 700;

/** @typedef {{textContent: string | null}} Region */
/** @typedef {(where: "polite" | "urgent", words: string, topic?: string) => void} Say */

/**
 * @param {{polite: Region, urgent: Region}} regions
 * @param {(work: () => void, ms: number) => unknown} later
 * @returns {Say}
 */
export function announcer(regions, later) {
  /** @type {Map<string, string>} topic → its last words, in the order of their topics' first */
  const waiting = new Map();

  function sayAll() {
    speak(regions.polite, [...waiting.values()].join(" "));
    waiting.clear();
  }

  return (where, words, topic = words) => {
    if (where === "urgent") {
      speak(regions.urgent, words);
      return;
    }
    if (waiting.size === 0) later(sayAll, PAUSE_MS);
    waiting.set(topic, words);
  };
}

/** The same words again are news too: a region that does not change is not read.
 *  @param {Region} region @param {string} words */
function speak(region, words) {
  region.textContent = region.textContent === words ? `${words}\u00a0` : words;
}

/** Speaks on this page. @type {Say} */
export function say(where, words, topic) {
  spoken ??= announcer({ polite: region("polite"), urgent: region("urgent") }, (work, ms) => setTimeout(work, ms));
  spoken(where, words, topic);
}

/** @type {Say | undefined} */
let spoken;

/** @param {string} id @returns {Region} */
function region(id) {
  return document.getElementById(id) ?? { textContent: null };
}
