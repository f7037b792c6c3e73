/**
 * Builds the one script of others that the pages use, and writes down what it was made of.
 *
 * For those who work on the pages: `make test` once, then `node tools/vendor.mjs`.  What it makes
 * is committed, so that nobody who runs or tests the house needs a bundler.  The same versions
 * give the same bytes; gateway/static/vendor/vendor.lock holds their hashes, and those of the
 * npm tarballs that they come from.
 */

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const CHECKS = new URL("../tests/browser/", import.meta.url);
const VENDOR = new URL("../gateway/static/vendor/", import.meta.url);
const ENTRY = `
export { LitElement, html, svg, nothing } from "lit";
export { repeat } from "lit/directives/repeat.js";
export { classMap } from "lit/directives/class-map.js";
export { live } from "lit/directives/live.js";
`;

const { build } = createRequire(new URL("package.json", CHECKS))("esbuild");
const { packages } = JSON.parse(readFileSync(new URL("package-lock.json", CHECKS), "utf8"));

const made = await build({
  stdin: { contents: ENTRY, resolveDir: fileURLToPath(CHECKS) },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  conditions: ["production", "browser"],
  legalComments: "none",
  metafile: true,
  write: false,
});
const script = `/* Lit ${packages["node_modules/lit"].version}, BSD-3-Clause: see lit.LICENSE.txt. */\n${made.outputFiles[0].text}`;
const license = readFileSync(new URL("node_modules/lit/LICENSE", CHECKS), "utf8").trimEnd() + "\n";

writeFileSync(new URL("lit.js", VENDOR), script);
writeFileSync(new URL("lit.LICENSE.txt", VENDOR), license);
writeFileSync(new URL("vendor.lock", VENDOR), `${JSON.stringify({ "lit.js": written() }, null, 2)}\n`);

function written() {
  return {
    version: packages["node_modules/lit"].version,
    license: "BSD-3-Clause",
    "license-file": "lit.LICENSE.txt",
    sha256: createHash("sha256").update(script).digest("hex"),
    bundler: `esbuild ${packages["node_modules/esbuild"].version}`,
    packages: parts(),
  };
}

/** Every package that bytes of the bundle come from, with the hash of its tarball. */
function parts() {
  const inputs = Object.values(made.metafile.outputs)[0].inputs;
  const names = Object.keys(inputs).map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
  const found = [...new Set(names.filter((name) => name !== undefined))].sort();
  return found.map((name) => {
    const { version, integrity, license } = packages[`node_modules/${name}`];
    return { name, version, license, integrity };
  });
}
