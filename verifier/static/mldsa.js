// ML-DSA-44 (FIPS 204): is a signature good?  Browsers have no such key yet.
//
// Verification only, in its pure form with an empty context, which is what the log's
// cosignature is made with.  Nothing here is secret, so nothing need take the same time.
// A plain script and no module: a page that was saved to a disk may load no modules.

"use strict";

(() => {
  const Q = 8380417;
  const [K, L, D, TAU, GAMMA1, GAMMA2, BETA, OMEGA] = [4, 4, 13, 39, 1 << 17, 95232, 78, 80];
  const KEY_BYTES = 32 + K * 320;
  const SIGNATURE_BYTES = 32 + L * 576 + OMEGA + K;

  // ── Keccak (FIPS 202) ────────────────────────────────────────────────────────────────

  const MASK = (1n << 64n) - 1n;
  const turned = (lane, by) => (by ? ((lane << by) | (lane >> (64n - by))) & MASK : lane);
  // Where each lane goes and how far it is turned, and the constants of the rounds.
  const [PLACES, TURNS, ROUNDS] = (() => {
    const [places, turns, rounds] = [[0], [0n], []];
    let [x, y] = [1, 0];
    for (let t = 0; t < 24; t += 1) {
      places[x + 5 * y] = y + 5 * ((2 * x + 3 * y) % 5);
      turns[x + 5 * y] = BigInt((((t + 1) * (t + 2)) / 2) % 64);
      [x, y] = [y, (2 * x + 3 * y) % 5];
    }
    let bits = 1;
    for (let round = 0; round < 24; round += 1) {
      let constant = 0n;
      for (let j = 0; j < 7; j += 1) {
        if (bits & 1) constant |= 1n << ((1n << BigInt(j)) - 1n);
        bits = (bits << 1) ^ (bits & 0x80 ? 0x171 : 0);
      }
      rounds.push(constant);
    }
    return [places, turns, rounds];
  })();

  function permute(lanes) {
    for (const constant of ROUNDS) {
      const columns = [0, 1, 2, 3, 4].map((x) => lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]);
      const moved = new Array(25);
      for (let i = 0; i < 25; i += 1) {
        const x = i % 5;
        const lane = lanes[i] ^ columns[(x + 4) % 5] ^ turned(columns[(x + 1) % 5], 1n);
        moved[PLACES[i]] = turned(lane, TURNS[i]);
      }
      for (let i = 0; i < 25; i += 1) {
        const row = i - (i % 5);
        lanes[i] = moved[i] ^ (~moved[row + ((i + 1) % 5)] & MASK & moved[row + ((i + 2) % 5)]);
      }
      lanes[0] ^= constant;
    }
  }

  /** SHAKE of these bytes: a function that gives as many more bytes as it is asked for. */
  function shake(rate, ...parts) {
    const lanes = new Array(25).fill(0n);
    const put = (at, byte) => {
      lanes[at >> 3] ^= BigInt(byte) << BigInt(8 * (at & 7));
    };
    let at = 0;
    for (const part of parts) {
      for (const byte of part) {
        put(at, byte);
        at += 1;
        if (at === rate) {
          permute(lanes);
          at = 0;
        }
      }
    }
    put(at, 0x1f);
    put(rate - 1, 0x80);
    permute(lanes);
    let given = 0;
    return (count) => {
      const bytes = new Uint8Array(count);
      for (let i = 0; i < count; i += 1) {
        if (given === rate) {
          permute(lanes);
          given = 0;
        }
        bytes[i] = Number((lanes[given >> 3] >> BigInt(8 * (given & 7))) & 255n);
        given += 1;
      }
      return bytes;
    };
  }

  const shake128 = (...parts) => shake(168, ...parts);
  const shake256 = (...parts) => shake(136, ...parts);

  // ── Polynomials ──────────────────────────────────────────────────────────────────────

  const mod = (value) => ((value % Q) + Q) % Q;
  const ZETAS = (() => {
    const powers = [1];
    for (let i = 1; i < 256; i += 1) powers.push((powers[i - 1] * 1753) % Q);
    const reversed = (i) => parseInt(i.toString(2).padStart(8, "0").split("").reverse().join(""), 2);
    return powers.map((_, i) => powers[reversed(i)]);
  })();

  function ntt(poly) {
    const w = poly.slice();
    for (let m = 0, half = 128; half >= 1; half /= 2) {
      for (let start = 0; start < 256; start += 2 * half) {
        m += 1;
        for (let j = start; j < start + half; j += 1) {
          const t = (ZETAS[m] * w[j + half]) % Q;
          w[j + half] = mod(w[j] - t);
          w[j] = (w[j] + t) % Q;
        }
      }
    }
    return w;
  }

  function inverse(poly) {
    const w = poly.slice();
    for (let m = 256, half = 1; half < 256; half *= 2) {
      for (let start = 0; start < 256; start += 2 * half) {
        m -= 1;
        for (let j = start; j < start + half; j += 1) {
          const t = w[j];
          w[j] = (t + w[j + half]) % Q;
          w[j + half] = ((Q - ZETAS[m]) * mod(t - w[j + half])) % Q;
        }
      }
    }
    return w.map((one) => (one * 8347681) % Q);
  }

  /** Numbers of so many bits each, lowest bit first. */
  function unpacked(bytes, bits) {
    const found = [];
    let [held, have] = [0, 0];
    for (const byte of bytes) {
      held += byte * 2 ** have;
      have += 8;
      while (have >= bits) {
        found.push(held % 2 ** bits);
        held = Math.floor(held / 2 ** bits);
        have -= bits;
      }
    }
    return found;
  }

  function packed(numbers, bits) {
    const bytes = [];
    let [held, have] = [0, 0];
    for (const number of numbers) {
      held += number * 2 ** have;
      have += bits;
      while (have >= 8) {
        bytes.push(held % 256);
        held = Math.floor(held / 256);
        have -= 8;
      }
    }
    return Uint8Array.from(bytes);
  }

  function uniform(seed, s, r) {
    const more = shake128(seed, [s, r]);
    const found = [];
    while (found.length < 256) {
      const [low, middle, high] = more(3);
      const number = low + 256 * middle + 65536 * (high & 127);
      if (number < Q) found.push(number);
    }
    return found;
  }

  function inBall(seed) {
    const more = shake256(seed);
    const signs = unpacked(more(8), 1);
    const c = new Array(256).fill(0);
    for (let i = 256 - TAU; i < 256; i += 1) {
      let [j] = more(1);
      while (j > i) [j] = more(1);
      c[i] = c[j];
      c[j] = signs[i + TAU - 256] ? Q - 1 : 1;
    }
    return c;
  }

  /** The hints, or null where they are written in another than their one form. */
  function hintsOf(bytes) {
    const found = Array.from({ length: K }, () => new Array(256).fill(0));
    let index = 0;
    for (let i = 0; i < K; i += 1) {
      const [first, end] = [index, bytes[OMEGA + i]];
      if (end < index || end > OMEGA) return null;
      for (; index < end; index += 1) {
        if (index > first && bytes[index - 1] >= bytes[index]) return null;
        found[i][bytes[index]] = 1;
      }
    }
    for (; index < OMEGA; index += 1) if (bytes[index]) return null;
    return found;
  }

  function highBits(r, hint) {
    const m = (Q - 1) / (2 * GAMMA2);
    let low = r % (2 * GAMMA2);
    if (low > GAMMA2) low -= 2 * GAMMA2;
    let high = (r - low) / (2 * GAMMA2);
    if (r - low === Q - 1) {
      high = 0;
      low -= 1;
    }
    if (!hint) return high;
    return low > 0 ? (high + 1) % m : (high + m - 1) % m;
  }

  // ── Verifying ────────────────────────────────────────────────────────────────────────

  /** Did the key (1,312 bytes) make this signature (2,420 bytes) of the message?  Bytes all. */
  function verifies(key, signature, message) {
    if (key.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
    const seed = key.subarray(0, 32);
    const challenge = signature.subarray(0, 32);
    const part = (from, bytes, i) => from.subarray(32 + i * bytes, 32 + (i + 1) * bytes);
    const z = Array.from({ length: L }, (_, i) => unpacked(part(signature, 576, i), 18).map((one) => GAMMA1 - one));
    const hints = hintsOf(signature.subarray(32 + L * 576));
    if (hints === null || z.flat().some((one) => Math.abs(one) >= GAMMA1 - BETA)) return false;
    const mu = shake256(shake256(key)(64), [0, 0], message)(64);
    const c = ntt(inBall(challenge));
    const zs = z.map((poly) => ntt(poly.map(mod)));
    const high = hints.map((hint, r) => {
      const t = ntt(unpacked(part(key, 320, r), 10).map((one) => one * 2 ** D));
      const sum = t.map((one, i) => mod(-c[i] * one));
      for (let s = 0; s < L; s += 1) {
        const a = uniform(seed, s, r);
        for (let i = 0; i < 256; i += 1) sum[i] = (sum[i] + a[i] * zs[s][i]) % Q;
      }
      return packed(inverse(sum).map((one, i) => highBits(one, hint[i])), 6);
    });
    const again = shake256(mu, ...high)(32);
    return again.every((byte, i) => byte === challenge[i]);
  }

  globalThis.MlDsa44 = Object.freeze({ verifies, KEY_BYTES, SIGNATURE_BYTES });
})();
