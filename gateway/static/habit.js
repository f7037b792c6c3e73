/**
 * How a bidder wants to confirm, in one sale: each bid, or only the first.
 *
 * The first bid of a sale is always confirmed. What is chosen is kept for that sale and that
 * bidder, on this device; where nothing can be kept, every bid is confirmed.
 */

export class Habit {
  /** @param {any} storage @param {string} saleId @param {string} bidder */
  constructor(storage, saleId, bidder) {
    this.storage = storage;
    this.key = `fairwarning.confirm.${saleId}.${bidder}`;
    const kept = this.recall();
    this.each = kept.each !== false;
    this.hasBid = kept.hasBid === true;
  }

  /** Must the next bid be confirmed? */
  get confirms() {
    return this.each || !this.hasBid;
  }

  /** @param {boolean} each */
  choose(each) {
    this.each = each;
    this.keep();
  }

  /** A bid was sent in this sale. */
  bid() {
    if (this.hasBid) return;
    this.hasBid = true;
    this.keep();
  }

  recall() {
    try {
      return JSON.parse(this.storage.getItem(this.key) ?? "{}") ?? {};
    } catch {
      return {}; // storage refused, or foreign text
    }
  }

  keep() {
    try {
      this.storage.setItem(this.key, JSON.stringify({ each: this.each, hasBid: this.hasBid }));
    } catch {
      // Not kept: the next page confirms again, which is the safe side.
    }
  }
}
