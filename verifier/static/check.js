// The page that checks a proof: a file in, a verdict in words out.  What is checked is decided
// in bundle.js; here it is only shown.  Text is set as text: nothing in a file becomes markup.

"use strict";

(() => {
  const TONES = { authentic: "match", consistent: "careful", refused: "bad" };
  const WORDS = { authentic: "Authentic", consistent: "Consistent, signer not checked", refused: "Refused" };
  const at = (id) => document.getElementById(id);
  const drop = at("drop");

  /** Each line of the field is a key of a log. */
  const pinned = () => at("vkey").value.split("\n").map((line) => line.trim()).filter((line) => line !== "");

  function show(tone, heading, words) {
    at("verdict").dataset.tone = tone;
    at("heading").textContent = heading;
    at("words").textContent = words;
    at("verdict").hidden = false;
    at("heading").focus();
  }

  /** A key of ML-DSA is two screens long. */
  const shortened = (text) => (text.length > 100 ? `${text.slice(0, 60)}…` : text);

  function list(report) {
    const rows = (report.events ?? []).map(({ validFrom, credentialSubject }) => {
      const row = document.createElement("li");
      const [time, text] = [document.createElement("time"), document.createElement("span")];
      time.textContent = validFrom.replace("T00:00:00Z", "");
      text.textContent = `${credentialSubject.eventType.replaceAll("_", " ")} (${credentialSubject.actor})`;
      row.append(time, " ", text);
      return row;
    });
    at("events").replaceChildren(...rows);
    at("title").textContent = report.title ? `${report.title}, ${report.serial}` : "";
    at("record").hidden = rows.length === 0;
    at("signers").textContent = (report.signers ?? []).map(shortened).join("\n");
  }

  async function check(file) {
    at("record").hidden = true;
    show("note", "Checking…", file.name);
    try {
      const report = await ProofBundle.check(new Uint8Array(await file.arrayBuffer()), pinned());
      show(TONES[report.verdict], WORDS[report.verdict], report.words);
      list(report);
    } catch (failure) {
      show("bad", "Could not be checked", `${failure.message || failure.name}. Nothing is said of the file.`);
    }
  }

  at("file").addEventListener("change", (event) => {
    if (event.target.files.length) check(event.target.files[0]);
    event.target.value = ""; // the same file may be chosen again
  });
  for (const name of ["dragover", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) check(event.dataTransfer.files[0]);
    });
  }
  document.addEventListener("dragleave", () => drop.classList.remove("over"));
})();
