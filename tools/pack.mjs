/**
 * Packs the scripts of each live page into one file, as small as it gets.
 *
 * For those who have changed one: `make test` once, then `node tools/pack.mjs`.  What it makes is
 * committed with the change.  Until then the house serves the scripts as they are written, for
 * gateway/static/packed/pack.lock says what each file was made of (gateway/scripts.py).
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const CHECKS = new URL("../tests/browser/", import.meta.url);
const STATIC = new URL("../gateway/static/", import.meta.url);
const PACKED = new URL("packed/", STATIC);
const PAGES = ["catalogue.js", "console.js", "lot.js", "screen.js"];

const { build } = createRequire(new URL("package.json", CHECKS))("esbuild");
const { packages } = JSON.parse(readFileSync(new URL("package-lock.json", CHECKS), "utf8"));

mkdirSync(PACKED, { recursive: true });
const lock = {};
for (const page of PAGES) lock[page] = await pack(page);
writeFileSync(new URL("pack.lock", PACKED), `${JSON.stringify(lock, null, 1)}\n`);

/** Writes a page's pack, and says what it was made of. */
async function pack(page) {
  const made = await build({
    entryPoints: [page],
    absWorkingDir: fileURLToPath(STATIC),
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "inline",
    metafile: true,
    write: false,
  });
  const script = made.outputFiles[0].text;
  writeFileSync(new URL(page, PACKED), script);
  const parts = Object.keys(made.metafile.inputs).sort();
  return {
    sha256: digest(script),
    packer: `esbuild ${packages["node_modules/esbuild"].version}`,
    parts: Object.fromEntries(parts.map((part) => [part, digest(readFileSync(new URL(part, STATIC)))])),
  };
}

function digest(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}
