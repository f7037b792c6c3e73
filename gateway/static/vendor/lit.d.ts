// The types of lit.js: what tools/vendor.mjs puts into it.
export { LitElement, html, svg, nothing } from "lit";
export type { PropertyValues, TemplateResult } from "lit";
export { repeat } from "lit/directives/repeat.js";
export { classMap } from "lit/directives/class-map.js";
export { live } from "lit/directives/live.js";
