/**
 * The questions that the console asks before it does what is not easily mended: each names what
 * it is about, and most want a reason, which goes into the record of the sale.
 *
 * A question is a plain object: `{title, text, fields, reasons, items, confirm, done}`. `done`
 * gets what was typed and answers nothing, or words (a key) for what cannot be.
 */

import { html, nothing } from "./vendor/lit.js";
import { USUAL } from "./console-keys.js";
import { printed } from "./keys.js";

/** The open question, in the one dialog of the page. */
export function dialog(desk) {
  const { question: asked, t } = desk;
  return html`<dialog id="question" aria-labelledby="qt" @close=${() => desk.answered()}>${asked ? html`
    <form method="dialog" @submit=${(event) => submitted(desk, event)}>
      <h2 id="qt">${t(...asked.title)}</h2>
      ${asked.text ? html`<p>${t(...asked.text)}</p>` : nothing}
      ${(asked.fields ?? []).map((field) => input(desk, field))}
      ${asked.reasons ? reasons(desk, asked) : nothing}
      ${asked.items ? html`<ul class="items">${asked.items.map((item) => choice(desk, item))}</ul>` : nothing}
      ${asked.keys ? keys(desk) : nothing}
      <p class="wrong" role="alert">${desk.wrong ? t(...desk.wrong) : ""}</p>
      <div class="ends"><button type="button" class="btn" @click=${() => desk.dismiss()}>${t(asked.confirm ? "console.cancel" : "console.done")}</button>
        ${asked.confirm ? html`<button class="btn pri" value="yes">${t(...asked.confirm)}</button>` : nothing}</div>
    </form>` : nothing}</dialog>`;
}

function input({ t }, /** @type {any} */ { name, label, value = "", kind = "text", options = null, optional = false }) {
  if (options) return html`<p class="field"><label for=${`q-${name}`}>${t(...label)}</label><select id=${`q-${name}`} name=${name}>${options.map((option) => html`<option value=${option.value} ?selected=${option.value === value}>${option.text}</option>`)}</select></p>`;
  return html`<p class="field"><label for=${`q-${name}`}>${t(...label)}</label><input id=${`q-${name}`} name=${name} .value=${value} inputmode=${kind === "text" ? "text" : "decimal"} autocomplete="off" ?required=${!optional}></p>`;
}

/** The usual reasons are one press; any other is typed. */
function reasons(desk, asked) {
  const { t } = desk;
  return html`<fieldset class="reasons"><legend>${t("console.reason")}</legend>
    <div class="quick">${asked.reasons.map((key) => html`<button type="button" class="btn" @click=${(event) => picked(desk, event, t(key))}>${t(key)}</button>`)}</div>
    <p class="field"><label for="q-reason">${t("console.reason.other")}</label><input id="q-reason" name="reason" maxlength="500" autocomplete="off"></p></fieldset>`;
}

function picked(desk, event, reason) {
  const form = event.target.closest("form");
  form.elements.reason.value = reason;
  form.requestSubmit(form.querySelector("[value=yes]"));
}

function choice(desk, /** @type {any} */ { label, note = null, press, on = true }) {
  const { t } = desk;
  return html`<li><button type="button" class="btn" aria-disabled=${on ? "false" : "true"} @click=${() => on && desk.replaceBy(press)}>${t(...label)}${note ? html` <small>${t(...note)}</small>` : nothing}</button></li>`;
}

function submitted(desk, event) {
  event.preventDefault();
  const values = Object.fromEntries(new FormData(event.target));
  const { question: asked } = desk;
  if (asked.reasons && !String(values.reason).trim()) return desk.complain(["console.reason.needed"]);
  const wrong = asked.done?.(values) ?? null;
  if (wrong) desk.complain(wrong);
  else if (desk.question === asked) desk.dismiss();
}

/** Every key, to be changed or switched off. */
function keys(desk) {
  const { t } = desk;
  const { on, keys: used } = desk.keys;
  return html`<p class="check"><input id="q-off" type="checkbox" .checked=${!on} @change=${(event) => desk.setKeys((keys) => keys.turn(!event.target.checked))}><label for="q-off">${t("console.keys.off")}</label></p>
    <p class="lbl">${t("console.keys.how")}</p>
    <dl class="allkeys">${Object.keys(USUAL).map((name) => html`<div><dt><label for=${`k-${name}`}>${t(`console.key.${name}`)}</label></dt>
      <dd><input id=${`k-${name}`} readonly .value=${printed(used[name])} @keydown=${(event) => desk.rekey(event, name)}></dd></div>`)}</dl>
    <p><button type="button" class="btn" @click=${() => desk.setKeys((keys) => keys.reset())}>${t("console.keys.reset")}</button></p>`;
}
