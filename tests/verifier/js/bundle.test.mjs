import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

await import("../../../verifier/static/mldsa.js");
await import("../../../verifier/static/bundle.js");
const { check, canonical } = globalThis.ProofBundle;

// A genuine proof, made once: whoever has kept one must be able to check it for ever.
const PROOF = new Uint8Array(readFileSync(new URL("../data/proof.json", import.meta.url)));
const text = new TextDecoder().decode(PROOF);
const found = () => JSON.parse(text);
const bytes = (value) => new TextEncoder().encode(canonical(value));
const KEYS = found().keys;

test("a genuine proof is authentic with either of the log's keys, and consistent without", async () => {
  for (const pins of [KEYS, KEYS.slice(0, 1), KEYS.slice(1)]) {
    const report = await check(PROOF, pins);
    assert.equal(report.verdict, "authentic", report.words);
    assert.match(report.words, /^Authentic: the record of AUC\w+ \(6 events, listed\) is whole, signed and logged/);
  }
  const report = await check(PROOF, []);
  assert.equal(report.verdict, "consistent");
  assert.match(report.words, /^Consistent, signer not checked/);
});

test("a key that signed nothing of it refuses it", async () => {
  const other = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
  const report = await check(PROOF, [other]);
  assert.match(report.words, /no pinned key signed it, but id\.example\/log\+/);
});

test("what is no key of a log is a mistake of whoever typed it, and says nothing of the proof", async () => {
  for (const key of ["", "x", KEYS[0].replace("+", "-"), KEYS[0].slice(0, -1), `${KEYS[0]} `]) {
    await assert.rejects(check(PROOF, [key]), TypeError);
  }
});

test("one bit changed in any of many bytes is found", async () => {
  for (let place = 0; place < PROOF.length; place += 37) {
    const changed = PROOF.slice();
    changed[place] ^= 1 << (place % 8);
    const report = await check(changed, KEYS);
    assert.equal(report.verdict, "refused", `byte ${place}`);
  }
});

test("every bit of the ML-DSA-44 signature's ends and of its hints counts", async () => {
  const lines = found().checkpoint.split("\n");
  const signed = lines[5].slice(lines[5].lastIndexOf(" ") + 1);
  const body = Uint8Array.from(atob(signed), (letter) => letter.charCodeAt(0));
  for (const place of [0, 4, 11, 12, 43, 44, 700, body.length - 84, body.length - 4, body.length - 1]) {
    const changed = body.slice();
    changed[place] ^= 1;
    const bundle = found();
    bundle.checkpoint = bundle.checkpoint.replace(signed, btoa(String.fromCharCode(...changed)));
    assert.equal((await check(bytes(bundle), KEYS)).verdict, "refused", `byte ${place}`);
  }
});

test("a text that means the same, but is written otherwise, is refused", async () => {
  const loose = JSON.stringify(found(), null, 1);
  for (const written of [loose, `${text}\n`, ` ${text}`, `\ufeff${text}`, text.replace('"serial"', '"\\u0073erial"'), `${text.slice(0, -1)},"serial":"x"}`]) {
    const report = await check(new TextEncoder().encode(written), KEYS);
    assert.equal(report.words, "Refused: the bundle is not in canonical form.");
  }
});

test("what is no JSON, no object or no text at all is refused", async () => {
  const deep = "[".repeat(70) + "]".repeat(70);
  for (const written of ["", "null", "[]", "{}", "\"\\ud800\"", "9007199254740992", deep, "1e400"]) {
    assert.equal((await check(new TextEncoder().encode(written), [])).verdict, "refused", written);
  }
  assert.equal((await check(Uint8Array.of(0x22, 0xff, 0x22), [])).verdict, "refused");
});

test("a member that JavaScript has on every object is no member of a proof", async () => {
  const bundle = found();
  bundle.events[1].document.credentialSubject.eventType = "constructor";
  assert.equal((await check(bytes(bundle), [])).verdict, "refused");
  const named = text.replace('"format":', '"__proto__":{},"format":');
  assert.equal((await check(new TextEncoder().encode(named), [])).verdict, "refused");
});
