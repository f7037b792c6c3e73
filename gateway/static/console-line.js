/**
 * The console's line to the saleroom: the lot room's, with a ticket for a hello, several lots,
 * and one act in the place of the one bid.
 *
 * An act that was not answered is sent again under its own cmdId, after a break too: the
 * saleroom gives the first answer again and the act has no second effect. Nothing else is ever
 * sent again. After a break every lot is asked for whole.
 */

import { Line } from "./socket.js";

const UNANSWERED_MS = 5000;
const TRIPS = 60; // round trips that the measure of the delay is taken from: the last minutes

/** The time within which 95 of 100 round trips came back; null: none yet. */
export function p95(trips) {
  if (trips.length === 0) return null;
  const sorted = [...trips].sort((a, b) => a - b);
  return Math.round(sorted[Math.ceil(sorted.length * 0.95) - 1]);
}

export class DeskLine extends Line {
  /** @param {any} parts those of `Line`, and `ticket`: () => Promise<object|null>, what a hello
   *  says; null: this screen is signed in no more */
  constructor(parts) {
    super(parts);
    /** @type {any} */
    this.parts = parts;
    this.followed = new Set([parts.auctionId]);
    this.pending = null;
    this.trips = [];
    this.welcome = false;
  }

  get delay() {
    return p95(this.trips);
  }

  /** Follow this lot too; `shown`: it is the one whose answer makes the line live. */
  follow(auctionId, shown = false) {
    if (shown) this.parts.auctionId = auctionId;
    if (this.followed.has(auctionId)) return;
    this.followed.add(auctionId);
    if (this.welcome) this.send({ type: "subscribe", auctionId });
  }

  /** Hear no more of a lot. */
  unfollow(auctionId) {
    if (!this.followed.delete(auctionId)) return;
    if (this.welcome) this.send({ type: "unsubscribe", auctionId });
  }

  refresh(auctionId = this.parts.auctionId) {
    this.send({ type: "subscribe", auctionId });
  }

  /** Send one act; the caller keeps that there is only one. */
  act(fields) {
    if (!this.live || this.pending) return false;
    this.pending = fields;
    this.sendAct();
    return true;
  }

  sendAct() {
    if (!this.pending) return;
    this.send({ type: "act", ...this.pending });
    this.after("again", UNANSWERED_MS, () => this.sendAct());
  }

  async greet() {
    const socket = this.socket;
    this.welcome = false;
    let hello;
    try {
      hello = await this.parts.ticket();
    } catch {
      if (this.socket === socket) this.lose("lost"); // the house did not answer: try again later
      return;
    }
    if (this.socket !== socket) return; // this connection was given up meanwhile
    if (hello === null) return this.closed(4401, "");
    this.greetedAt = this.world.steady();
    this.send({ type: "hello", ...hello });
  }

  welcomed(frame) {
    this.parts.clock.sample(this.greetedAt, frame.now, this.heardAt);
    this.access = frame.role;
    this.welcome = true;
    this.parts.onFrame(frame);
    for (const auctionId of this.followed) this.send({ type: "subscribe", auctionId });
  }

  resend() {
    this.sendAct();
  }

  answered(frame) {
    if (!this.pending) return;
    if (frame.cmdId === this.pending.cmdId) {
      this.clear("again");
      this.pending = null;
    } else if (frame.type === "error" && !frame.cmdId && frame.retryAfterMs >= 0) {
      // It is not said which message was turned away. If it was the act, it goes again.
      this.after("again", frame.retryAfterMs, () => this.sendAct());
    }
  }

  ponged(frame) {
    const sentAt = this.asked.get(frame.t);
    if (sentAt !== undefined) this.trips = [...this.trips, this.heardAt - sentAt].slice(-TRIPS);
    super.ponged(frame);
  }

  lose(why, wait = null) {
    this.welcome = false;
    if (this.access === "ended") return this.shut(); // only a new sign-in helps
    super.lose(why, wait);
  }
}
