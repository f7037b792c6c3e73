/**
 * The saleroom's time, as this browser can know it.
 *
 * The wall clock of the device is never trusted. `SaleClock` adds an offset to a steady local
 * clock; the offset comes from the best answered ping of the last minute, because the shortest
 * round trip leaves the least room for error: the server's reading was taken somewhere inside it.
 * Nothing here touches the page; the steady clock is handed in, so the tests own the time.
 */

const KEEP_MS = 60_000; // long enough to have a good sample, short enough to follow a drifting clock

export class SaleClock {
  /** @param {() => number} steady milliseconds that only go forward, from any origin
   *  @param {number} rendered the server's time when the page was written: right to within the
   *  time the page took to arrive, and used only until the first answer */
  constructor(steady, rendered) {
    this.steady = steady;
    this.rendered = { offset: rendered - steady(), rtt: Infinity, heardAt: steady() };
    /** @type {{offset: number, rtt: number, heardAt: number}[]} */
    this.samples = [];
    /** @type {number|null} */
    this.lastRtt = null;
  }

  /** One question and answer: asked at `sentAt`, heard at `heardAt` (steady clock), and the
   *  server's own reading `serverNow` in between. */
  sample(/** @type {number} */ sentAt, /** @type {number} */ serverNow, /** @type {number} */ heardAt) {
    const rtt = heardAt - sentAt;
    if (!(rtt >= 0) || !Number.isFinite(serverNow)) return;
    this.lastRtt = rtt;
    this.samples = this.samples.filter((s) => heardAt - s.heardAt <= KEEP_MS);
    this.samples.push({ offset: serverNow + rtt / 2 - heardAt, rtt, heardAt });
  }

  /** The server's time now, in milliseconds since the epoch. */
  now() {
    const best = this.samples.reduce((a, b) => (b.rtt <= a.rtt ? b : a), this.rendered);
    return this.steady() + best.offset;
  }
}

/** What a countdown shows: whole seconds, rounded up, so that "0:00" means the time has come.
 *  From a day on the digits say nothing, and `text` is null. */
export function countdown(/** @type {number} */ remainingMs) {
  const seconds = Math.max(0, Math.ceil(remainingMs / 1000));
  const [days, hours] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24];
  const [minutes, rest] = [Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const text = days > 0 ? null : hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
  return { text, seconds, days, hours, minutes, rest };
}

/** The milestone passed between two readings, if any. Only these are announced: a voice that
 *  counts every second drowns the price. */
export function milestone(/** @type {number} */ before, /** @type {number} */ after) {
  if (!Number.isFinite(before)) return null; // the page has only just opened
  return [60, 30, 10].find((mark) => before > mark && after <= mark) ?? null;
}
