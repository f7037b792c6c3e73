/** The page that the modules under test read their words from: the shipped catalogue itself. */

import { readFileSync } from "node:fs";

const file = (name) => readFileSync(new URL(`../../../gateway/words/${name}.en.json`, import.meta.url), "utf8");
const words = JSON.stringify({ ...JSON.parse(file("common")), ...JSON.parse(file("lot")) });

globalThis.document = { documentElement: { lang: "en-GB" }, getElementById: () => ({ textContent: words }) };
