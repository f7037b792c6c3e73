import assert from "node:assert/strict";
import { test } from "node:test";
import "./reading.mjs";
import { decimal, format, isSurprising, parse } from "../../../gateway/static/money.js";

const EUR = { currency: "EUR", exponent: 2 };
const JPY = { currency: "JPY", exponent: 0 };
const KWD = { currency: "KWD", exponent: 3 };

test("whole amounts have no cents, and cents are never dropped", () => {
  assert.equal(format(4_400_000, EUR), "€44,000");
  assert.equal(format(4_400_050, EUR), "€44,000.50");
  assert.equal(format(4_400_001, EUR), "€44,000.01");
  assert.equal(format(5, EUR), "€0.05");
  assert.equal(format(4_400_000, JPY), "JP¥4,400,000");
  assert.equal(format(4_400_005, KWD).replace(/\s/, " "), "KWD 4,400.005");
});

test("the largest amount of the protocol is written to the cent", () => {
  assert.equal(decimal(Number.MAX_SAFE_INTEGER, 2), "90071992547409.91");
  assert.equal(format(Number.MAX_SAFE_INTEGER, EUR), "€90,071,992,547,409.91");
});

test("plain digits and digits grouped in threes have one reading", () => {
  for (const text of ["52000", "52,000", "52.000", "52 000", "52\u00a0000", "52'000", "€52,000", " 52000 "]) {
    assert.deepEqual(parse(text, EUR), { minor: 5_200_000 }, text);
  }
  assert.deepEqual(parse("1,052,000", EUR), { minor: 105_200_000 });
  assert.deepEqual(parse("52,000", JPY), { minor: 52_000 });
});

test("an amount with cents is asked back", () => {
  assert.deepEqual(parse("52.000,50", EUR), { ask: [5_200_050] });
  assert.deepEqual(parse("52,000.50", EUR), { ask: [5_200_050] });
  assert.deepEqual(parse("52.50", EUR), { ask: [5250] });
});

test("where a mark may be a group mark or a decimal point, both readings are offered", () => {
  assert.deepEqual(parse("52.000", KWD), { ask: [52_000_000, 52_000] });
});

test("what cannot be read is not guessed at", () => {
  for (const text of ["", "  ", "abc", "52k", "-52000", "5e4", "52,00", "5,2000", "52,000 000", "52.000.50", "1.2.3", "0", "0,000"]) {
    assert.ok("error" in parse(text, text === "52,00" ? JPY : EUR), text);
  }
});

test("an amount beyond the protocol's largest is refused", () => {
  assert.ok("error" in parse("90071992547409.92".replace(".92", "999"), EUR));
});

test("over twice the price, or over the high estimate, is asked again", () => {
  assert.equal(isSurprising(8_400_000, 4_200_000, null), false);
  assert.equal(isSurprising(8_400_001, 4_200_000, null), true);
  assert.equal(isSurprising(6_000_001, 4_200_000, 6_000_000), true);
  assert.equal(isSurprising(6_000_000, 4_200_000, 6_000_000), false);
});
