// The proof bundle of an object: the same rules, and the same three outcomes, as the house's own
// checker (verifier/core/bundle.py says why each of them is as it is).
//
//     the pinned key → the checkpoint → the entries about keys → the issuer's key at each place
//     → every event and the certificate, each of them in the signed tree → the chain.
//
// Nothing is fetched, and nothing is sent: what is dropped on the page stays in it.  A plain
// script and no module: a page that was saved to a disk may load no modules.

"use strict";

(() => {
  const FORMAT = "fairwarning-proof/v1";
  const MOST_BYTES = 64 * 1024 * 1024;
  const MAX_DEPTH = 64;
  const CONTEXT = ["https://www.w3.org/ns/credentials/v2"];
  const OBJECT_URN = "urn:fairwarning:object:";
  const CREDENTIAL = "VerifiableCredential";
  const [ED25519, ED25519_COSIGNATURE, MLDSA44] = [0x01, 0x04, 0x06];
  const KEY_SIZES = { [ED25519]: 32, [ED25519_COSIGNATURE]: 32, [MLDSA44]: 1312 };

  const POSTABLE = [
    "consigned", "cataloged", "condition_reported", "exhibited", "loaned", "restored", "listed",
    "withdrawn", "returned", "rescinded", "correction",
  ];
  const SYSTEM = [
    "registered", "photographed", "binding_completed", "passed", "sold", "transferred",
    "tag_bound", "scan_alert", "erased",
  ];
  const EVENT_TYPES = [...POSTABLE, ...SYSTEM];
  const TRANSITIONS = {
    cataloged: [["consigned"], "cataloged"],
    listed: [["cataloged"], "listed"],
    passed: [["listed"], "cataloged"],
    sold: [["consigned", "cataloged", "listed"], "sold"],
    rescinded: [["sold"], "cataloged"],
    transferred: [["sold"], "transferred"],
    withdrawn: [["consigned", "cataloged", "listed"], "withdrawn"],
    returned: [["withdrawn", "cataloged"], "returned"],
    consigned: [["transferred", "returned", "withdrawn"], "consigned"],
  };
  const BY_DAY = ["consigned", "sold", "rescinded", "transferred", "returned", "erased"];
  const CATEGORIES = ["watch", "painting", "bottle", "collectible", "jewellery", "sculpture", "other"];
  const ANCHORS = { standard: 7, enhanced: 11, maximum: 16 };
  const PUBLIC_DETAILS = {
    cataloged: ["catalogNumber"],
    listed: ["lotNumber", "auctionId"],
    sold: ["hammerPrice", "currency"],
  };
  const PHOTO = [
    "angle", "sha256", "pixelSha256", "servedSha256", "templateDigest", "pdq", "anchorCount",
    "algorithm",
  ];
  const SIGNED_DETAILS = {
    registered: ["title", "category", "securityTier", "link"],
    photographed: [...PHOTO, "supersedes"],
    binding_completed: ["certificate"],
    tag_bound: ["tagDigest"],
    scan_alert: ["level"],
  };
  const REPORTED = ["actorRole", "description", "evidence"];
  const PRIVATE_DETAILS = {
    ...Object.fromEntries(POSTABLE.map((kind) => [kind, REPORTED])),
    consigned: [...REPORTED, "consignorId"],
    registered: ["description", "estimate", "attributes", "consignorId", "consignor"],
    sold: ["salePrice", "saleCurrency"],
    passed: ["reason"],
    transferred: ["terms", "buyer"],
    scan_alert: ["reasons"],
  };
  const ROLES = [
    "House", "Consignor", "Verified Private Collector", "Buyer", "Expert", "Conservator", "Museum",
    "Borrower", "Transporter", "Party",
  ];
  const PURPOSES = ["issuer", "log", "log-mldsa", "link"];

  const BUNDLE = ["format", "serial", "statement", "checkpoint", "keys", "keyEvents", "certificate", "events"];
  const LOGGED = ["document", "index", "proof"];
  const DOCUMENT = ["@context", "id", "type", "issuer", "validFrom", "credentialSubject", "proof"];
  const STATEMENT = ["id", "serial", "mode", "size", "root", "events", "head", "keyEvents", "keyEventsDigest"];
  const SUBJECT = ["id", "serial", "mode", "seq", "eventType", "actor", "previousHash", "details", "commitments"];
  const CERTIFICATE = [
    "id", "serial", "mode", "link", "title", "category", "securityTier", "spatialRelations",
    "codeBits", "photos",
  ];
  const PROOF = ["type", "cryptosuite", "created", "verificationMethod", "proofPurpose", "proofValue", "@context"];
  const INSTANT = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/;
  const MIDNIGHT = "T00:00:00Z";

  /** The first thing in a bundle that disagrees; one line says what. */
  class Refused extends Error {}

  function refuseUnless(fine, words) {
    if (!fine) throw new Refused(words);
  }

  // ── Bytes and texts ──────────────────────────────────────────────────────────────────

  const utf8 = (text) => new TextEncoder().encode(text);
  const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const same = (one, other) => one.length === other.length && one.every((byte, i) => byte === other[i]);
  const isHash = (found) => typeof found === "string" && /^[0-9a-f]{64}$/.test(found);
  const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

  function joined(...parts) {
    const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
  const base64url = (bytes) => base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  /** The bytes of a text in its one spelling; null for any other. */
  function unbase64(text) {
    let bytes;
    try {
      bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    } catch {
      return null;
    }
    return base64(bytes) === text ? bytes : null;
  }

  function unbase64url(text) {
    if (typeof text !== "string" || !/^[A-Za-z0-9_-]*$/.test(text)) return null;
    const padded = text.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat((4 - (text.length % 4)) % 4);
    return unbase64(padded);
  }

  const LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

  function base58(bytes) {
    let number = BigInt("0x0" + hex(bytes));
    let text = "";
    for (; number; number /= 58n) text = LETTERS[Number(number % 58n)] + text;
    const zeros = bytes.findIndex((byte) => byte !== 0);
    return "1".repeat(zeros < 0 ? bytes.length : zeros) + text;
  }

  function unbase58(text, size) {
    if (text.length > Math.floor((size * 11) / 8) + 1) return null;
    let number = 0n;
    for (const letter of text) {
      const digit = LETTERS.indexOf(letter);
      if (digit < 0) return null;
      number = number * 58n + BigInt(digit);
    }
    const digits = number.toString(16);
    const body = number ? unhex(digits.length % 2 ? "0" + digits : digits) : new Uint8Array();
    const bytes = joined(new Uint8Array(text.match(/^1*/)[0].length), body);
    return bytes.length === size ? bytes : null;
  }

  // ── Canonical JSON (RFC 8785) ────────────────────────────────────────────────────────

  function canonical(value) {
    if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
    if (value === null || typeof value !== "object") return JSON.stringify(value);
    const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
    return `{${members.join(",")}}`;
  }

  const digest = async (value) => hex(await sha256(utf8(canonical(value))));
  const equal = (one, other) => canonical(one) === canonical(other);

  /** Is it what every reader of JSON understands in one way? */
  function isPlain(value, depth) {
    if (typeof value === "string") return value.isWellFormed ? value.isWellFormed() : !/\p{Surrogate}/u.test(value);
    if (typeof value === "number") return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
    if (value === null || typeof value !== "object") return true;
    if (depth === 0) return false;
    const keys = Array.isArray(value) ? [] : Object.keys(value);
    return keys.every((key) => isPlain(key, depth)) && Object.values(value).every((one) => isPlain(one, depth - 1));
  }

  function readCanonical(bytes) {
    const words = "the bundle is not in canonical form";
    let text, value;
    try {
      text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      value = JSON.parse(text);
    } catch {
      throw new Refused(words);
    }
    refuseUnless(isPlain(value, MAX_DEPTH) && canonical(value) === text, words);
    return value;
  }

  const isObject = (found) => found !== null && typeof found === "object" && !Array.isArray(found);
  const isInteger = (found) => Number.isSafeInteger(found);

  function hasMembers(found, names) {
    return isObject(found) && Object.keys(found).length === names.length && names.every((name) => Object.hasOwn(found, name));
  }

  // ── Ed25519, and documents that are signed with it ───────────────────────────────────

  const P = 2n ** 255n - 19n;
  const Y8 = BigInt("0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826");
  const SMALL_ORDER = [0n, 1n, P - 1n, Y8, P - Y8];

  /** Under a key of small order one signature fits very many messages. */
  function isWeak(key) {
    const y = BigInt("0x" + hex(key.slice().reverse())) & (2n ** 255n - 1n);
    return y >= P || SMALL_ORDER.includes(y);
  }

  async function verifies(key, signature, message) {
    if (isWeak(key) || signature.length !== 64) return false;
    try {
      const imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
      return await crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
    } catch (failure) {
      if (failure.name === "NotSupportedError") throw failure;
      return false;
    }
  }

  const multikey = (key) => "z" + base58(joined([0xed, 0x01], key));

  function isRealInstant(text) {
    if (!INSTANT.test(text) || text.startsWith("0000")) return false;
    const at = new Date(text);
    return !Number.isNaN(at.getTime()) && at.toISOString().slice(0, 19) + "Z" === text;
  }

  /** The key that the proof names: a hint and no more. */
  function signedWith(document) {
    const method = document.proof.verificationMethod;
    const name = typeof method === "string" ? method.slice(method.indexOf("#") + 1) : "";
    const raw = name.startsWith("z") ? unbase58(name.slice(1), 34) : null;
    const key = raw !== null && raw[0] === 0xed && raw[1] === 0x01 ? raw.subarray(2) : null;
    if (key === null || isWeak(key) || method !== `did:key:${name}#${name}`) return null;
    return key;
  }

  /** Was it signed by this key, in just this form?  What is wrong with it, or null. */
  async function signatureFault(document, key) {
    const { proof } = document;
    if (!hasMembers(proof, PROOF)) return "a proof has other members";
    if (proof.type !== "DataIntegrityProof" || proof.cryptosuite !== "eddsa-jcs-2022") return "the proof is no eddsa-jcs-2022 proof";
    if (typeof proof.created !== "string" || !isRealInstant(proof.created)) return "the proof's date has another form";
    if (proof.proofPurpose !== "assertionMethod") return "the proof was not made for assertionMethod";
    const name = multikey(key);
    if (proof.verificationMethod !== `did:key:${name}#${name}`) return "the proof names another key";
    if (!equal(proof["@context"], document["@context"])) return "the proof's @context is not the document's";
    const value = proof.proofValue;
    if (typeof value !== "string" || !value.startsWith("z")) return "a signature is written in base58-btc";
    const signature = unbase58(value.slice(1), 64);
    if (signature === null) return "the signature cannot be read";
    const { proofValue, ...options } = proof;
    const { proof: _, ...unsecured } = document;
    const signed = await Promise.all([options, unsecured].map((part) => sha256(utf8(canonical(part)))));
    return (await verifies(key, signature, joined(...signed))) ? null : "the signature does not fit the document";
  }

  // ── Notes ────────────────────────────────────────────────────────────────────────────

  const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
  const isName = (text) => text !== "" && !text.includes("+") && !SPACE.test(text) && !/[\x00-\x09\x0b-\x1f]/.test(text);

  /** A key of notes, out of its vkey; null where that is none. */
  async function readVkey(text) {
    const parts = /^([^+]*)\+([^+]*)\+(.*)$/s.exec(text);
    const raw = parts && unbase64(parts[3]);
    if (!raw || raw.length === 0 || raw.length - 1 !== KEY_SIZES[raw[0]] || !isName(parts[1])) return null;
    const [kind, key] = [raw[0], raw.subarray(1)];
    const id = hex((await sha256(joined(utf8(`${parts[1]}\n`), raw))).subarray(0, 4));
    if (id !== parts[2] || (kind !== MLDSA44 && isWeak(key))) return null;
    return { name: parts[1], id, kind, key, text };
  }

  const SIGNATURE = "— ";

  function readNote(note) {
    const bad = (words) => { throw new Refused(`the checkpoint: ${words}`); };
    if (/[\x00-\x09\x0b-\x1f]/.test(note)) bad("a note has no control characters");
    const blank = note.lastIndexOf("\n\n");
    const lines = note.slice(blank + 2).split("\n");
    if (blank < 0 || lines.pop() !== "" || lines.length === 0) bad("a note is text, an empty line, and lines of signatures");
    if (lines.length > 64) bad("a note has at most 64 signatures");
    const signatures = lines.map((line) => {
      const rest = line.startsWith(SIGNATURE) ? line.slice(SIGNATURE.length) : "";
      const space = rest.indexOf(" ");
      const raw = space < 0 ? null : unbase64(rest.slice(space + 1));
      if (raw === null || raw.length < 5 || !isName(rest.slice(0, space))) bad("a signature line is — name base64");
      return { name: rest.slice(0, space), id: hex(raw.subarray(0, 4)), body: raw.subarray(4) };
    });
    return { text: note.slice(0, blank + 1), signatures };
  }

  function readCheckpoint(text) {
    const lines = text.split("\n");
    const root = lines.length === 4 ? unbase64(lines[2]) : null;
    const fine = root !== null && root.length === 32 && lines[3] === "" && isName(lines[0]);
    refuseUnless(fine && /^(0|[1-9][0-9]{0,18})$/.test(lines[1]), "the checkpoint: it is none");
    return { origin: lines[0], size: Number(lines[1]), root };
  }

  const u64 = (number) => unhex(BigInt(number).toString(16).padStart(16, "0"));
  const short = (text) => joined([utf8(text).length], utf8(text));

  async function fits(vkey, body, text, tree) {
    if (vkey.kind === ED25519) return verifies(vkey.key, body, utf8(text));
    if (body.length < 8 || body[0] > 127) return false;
    const seconds = BigInt("0x" + hex(body.subarray(0, 8)));
    if (vkey.kind === ED25519_COSIGNATURE) {
      return verifies(vkey.key, body.subarray(8), utf8(`cosignature/v1\ntime ${seconds}\n${text}`));
    }
    const label = joined(utf8("subtree/v1\n"), [0]);
    const message = joined(label, short(vkey.name), u64(seconds), short(tree.origin), u64(0), u64(tree.size), tree.root);
    return globalThis.MlDsa44.verifies(vkey.key, body.subarray(8), message);
  }

  // ── The tree (RFC 9162, 2.1.3.2) ─────────────────────────────────────────────────────

  const nodeHash = (left, right) => sha256(joined([1], left, right));

  async function inclusionFault(leaf, index, size, proof, root) {
    if (index < 0 || index >= size) return `a tree of ${size} leaves has no leaf ${index}`;
    let [place, last, found] = [index, size - 1, leaf];
    const half = (number) => Math.floor(number / 2);
    for (const sibling of proof) {
      if (last === 0) return "the proof has hashes to spare";
      if (place % 2 || place === last) {
        found = await nodeHash(sibling, found);
        while (place && place % 2 === 0) [place, last] = [half(place), half(last)];
      } else {
        found = await nodeHash(found, sibling);
      }
      [place, last] = [half(place), half(last)];
    }
    if (last !== 0) return "the proof is too short";
    return same(found, root) ? null : "the proof leads to another root";
  }

  // ── The succession of keys ───────────────────────────────────────────────────────────

  const URN_OF_KEYS = "urn:fairwarning:key-event:";
  const inUseAt = (key, place) => place >= key.from && (key.retired === null || place < key.retired);
  const takenBackAt = (key, place) => key.compromised !== null && place >= key.compromised;

  class KeyHistory {
    constructor() {
      this.keys = new Map();
      this.together = null; // first and last place of keys that came into use at once, instant
    }

    current(purpose) {
      return [...this.keys.values()].find((key) => key.retired === null && key.purpose === purpose);
    }

    async issuer(key) {
      const found = this.keys.get(await thumbprint(key));
      return found !== undefined && found.purpose === "issuer" ? found : undefined;
    }

    /** One more entry about keys.  Throws `Refused` where it does not follow. */
    async play(place, document) {
      checkKeyForm(document);
      let [said, orderedBy] = [document.credentialSubject, null];
      if (Object.hasOwn(said, "proof")) {
        const inner = said;
        checkKeyForm(inner);
        refuseUnless(inner.issuer === document.issuer && inner.validFrom === document.validFrom, "what was ordered is not what was signed");
        refuseUnless(isObject(inner.credentialSubject), "it says nothing");
        orderedBy = await thumbprint(await keyThatSigned(inner));
        said = inner.credentialSubject;
      }
      const when = document.validFrom;
      if (said.event === "created") await this.create(place, when, said);
      else if (said.event === "rotated") await this.rotate(place, said, orderedBy);
      else if (said.event === "compromised") await this.compromise(place, said);
      else throw new Refused("it says nothing that is known here");
      refuseUnless(orderedBy === null || said.event === "rotated", "only a replacement is signed twice");
      const signer = await this.issuer(await keyThatSigned(document));
      refuseUnless(signer !== undefined && inUseAt(signer, place), "it is not signed by the issuer's key of that time");
    }

    async create(place, when, said) {
      checkMembers(said, ["event", "purpose", "key"]);
      const before = this.together;
      const first = before !== null && before[1] === place - 1 && before[2] === when ? before[0] : place;
      this.together = [first, place, when];
      await this.begin(said.purpose, said.key, first);
    }

    async rotate(place, said, orderedBy) {
      checkMembers(said, ["event", "purpose", "from", "key"]);
      const old = this.current(said.purpose);
      const named = await namedKey(said.purpose, said.from);
      refuseUnless(old !== undefined && old.kid === named.kid, "it replaces a key that was not in use");
      refuseUnless(orderedBy === (old.purpose === "log-mldsa" ? null : old.kid), "it is not ordered by the key that it replaces");
      old.retired = place;
      await this.begin(said.purpose, said.key, place);
    }

    async compromise(place, said) {
      const replaced = Object.hasOwn(said, "replacement");
      checkMembers(said, ["event", "purpose", "key", "since", ...(replaced ? ["replacement"] : [])]);
      const found = this.keys.get((await namedKey(said.purpose, said.key)).kid);
      refuseUnless(found !== undefined && found.purpose === said.purpose, "it is about a key that nobody has told of");
      refuseUnless(isInteger(said.since) && said.since >= 0 && said.since <= place, "it names a size that the log did not have");
      refuseUnless(found.compromised === null || said.since <= found.compromised, "it takes back what was declared before");
      refuseUnless((found.retired === null) === replaced, "a key that is in use is replaced with its declaration, and no other");
      if (replaced) found.retired = place;
      found.compromised = said.since;
      if (replaced) await this.begin(said.purpose, said.replacement, place);
    }

    async begin(purpose, named, from) {
      const key = await namedKey(purpose, named);
      refuseUnless(!this.keys.has(key.kid), "its key has been told of before");
      refuseUnless(this.current(purpose) === undefined, `there is a key for ${purpose} already`);
      this.keys.set(key.kid, { ...key, from, retired: null, compromised: null });
    }
  }

  const thumbprint = async (key) => base64url(await sha256(utf8(canonical({ crv: "Ed25519", kty: "OKP", x: base64url(key) }))));

  async function keyThatSigned(document) {
    const key = hasMembers(document.proof, PROOF) ? signedWith(document) : null;
    refuseUnless(key !== null, "the proof names no key");
    const fault = await signatureFault(document, key);
    refuseUnless(fault === null, fault);
    return key;
  }

  function checkKeyForm(document) {
    refuseUnless(hasMembers(document, DOCUMENT), "fields are missing, or too many");
    const kind = equal(document["@context"], CONTEXT) && equal(document.type, [CREDENTIAL, "KeyEvent"]);
    refuseUnless(kind && isObject(document.credentialSubject), "it is no entry about keys");
    refuseUnless(typeof document.id === "string" && document.id.startsWith(URN_OF_KEYS), "its id is no entry's");
    const { proof } = document;
    refuseUnless(isObject(proof) && equal(proof.created ?? null, document.validFrom), "it is not of the instant at which it was signed");
  }

  function checkMembers(said, expected) {
    refuseUnless(hasMembers(said, expected), `its members are not ${[...expected].sort().join(", ")}`);
  }

  async function namedKey(purpose, named) {
    refuseUnless(PURPOSES.includes(purpose), "a key for nothing that is known here");
    refuseUnless(hasMembers(named, ["kid", "public"]), "it names no key");
    const key = unbase64url(named.public);
    const isMlDsa = purpose === "log-mldsa";
    refuseUnless(key !== null && key.length === (isMlDsa ? 1312 : 32) && (isMlDsa || !isWeak(key)), "it names no key");
    const kid = isMlDsa ? base64url(await sha256(key)) : await thumbprint(key);
    refuseUnless(named.kid === kid, "the key's id is not its own");
    return { kid, purpose, key };
  }

  // ── A bundle taken apart ─────────────────────────────────────────────────────────────

  async function read(bytes) {
    refuseUnless(bytes.length <= MOST_BYTES, "the bundle is too large to be one");
    const found = readCanonical(bytes);
    refuseUnless(hasMembers(found, BUNDLE), "the bundle has other fields than a bundle has");
    refuseUnless(found.format === FORMAT, "the bundle is in another format");
    refuseUnless(typeof found.serial === "string", "the serial is of another kind");
    checkDocument(found.statement, "the statement");
    refuseUnless(typeof found.checkpoint === "string", "the checkpoint is of another kind");
    refuseUnless(Array.isArray(found.keys), "the keys is of another kind");
    refuseUnless(found.keys.every((one) => typeof one === "string"), "a key is of another kind");
    const keyEvents = await allLogged(found.keyEvents, "key event");
    const certificate = found.certificate === null ? null : await logged(found.certificate, "the certificate");
    return { ...found, keyEvents, certificate, events: await allLogged(found.events, "event") };
  }

  async function allLogged(found, name) {
    refuseUnless(Array.isArray(found), `the ${name}s is of another kind`);
    refuseUnless(found.length > 0, `there is no ${name}`);
    const entries = [];
    for (const [number, entry] of found.entries()) entries.push(await logged(entry, `${name} ${number}`));
    for (let number = 1; number < entries.length; number += 1) {
      refuseUnless(entries[number].index > entries[number - 1].index, `${name} ${number}: it was logged before the one it follows`);
    }
    return entries;
  }

  async function logged(entry, name) {
    refuseUnless(hasMembers(entry, LOGGED), `${name}: a document, its index and its proof were expected`);
    refuseUnless(isInteger(entry.index), `${name}: its index is of another kind`);
    refuseUnless(Array.isArray(entry.proof), `${name}: its proof is of another kind`);
    refuseUnless(entry.proof.every(isHash), `${name}: its proof is no hash`);
    checkDocument(entry.document, name);
    const bytes = utf8(canonical(entry.document));
    const leaf = await sha256(joined([0], bytes));
    return { document: entry.document, index: entry.index, proof: entry.proof.map(unhex), leaf, hash: hex(await sha256(bytes)) };
  }

  function checkDocument(found, name) {
    refuseUnless(hasMembers(found, DOCUMENT), `${name}: the document has other fields than it should`);
    refuseUnless(equal(found["@context"], CONTEXT), `${name}: the document is of another context`);
    refuseUnless(typeof found.id === "string", `${name}: its id is of another kind`);
    refuseUnless(typeof found.issuer === "string", `${name}: its issuer is of another kind`);
    refuseUnless(isObject(found.credentialSubject), `${name}: its subject is of another kind`);
    refuseUnless(isObject(found.proof), `${name}: its proof of signature is of another kind`);
    for (const when of [found.validFrom, found.proof.created]) {
      refuseUnless(typeof when === "string" && INSTANT.test(when), `${name}: an instant is written in another form`);
    }
  }

  // ── Checking ─────────────────────────────────────────────────────────────────────────

  /**
   * Is the bundle genuine?  `pinned` are vkeys, as texts, of keys of the log that are trusted.
   * Gives { verdict, words, … }, the verdict authentic, consistent or refused.  Throws where a
   * pinned vkey is none, and where the browser cannot check Ed25519.
   */
  async function check(bytes, pinned) {
    const pins = [];
    for (const text of pinned) {
      const vkey = await readVkey(text);
      if (vkey === null) throw new TypeError(`${text} is no key of a log`);
      pins.push(vkey);
    }
    try {
      return await judged(await read(bytes), pins);
    } catch (fault) {
      if (!(fault instanceof Refused)) throw fault;
      return { verdict: "refused", words: `Refused: ${fault.message}.` };
    }
  }

  async function judged(found, pins) {
    const tree = await checkCheckpoint(found, pins);
    await checkStatement(found, tree);
    for (const [name, one] of named(found)) {
      const fault = await inclusionFault(one.leaf, one.index, tree.size, one.proof, tree.root);
      refuseUnless(fault === null, `${name}: it is not in the signed tree: ${fault}`);
    }
    checkChain(found);
    const keys = await checkKeyEvents(found);
    checkLogKeys(keys, tree);
    const state = await checkEvents(found, keys);
    await checkCertificate(found, keys);
    for (const signature of tree.later) await signature();
    const day = found.statement.validFrom.slice(0, -MIDNIGHT.length);
    const record = `the record of ${found.serial} (${found.events.length} events, ${state}) is whole, signed and logged, as of a log of ${tree.size} entries on ${day}`;
    const words = pins.length
      ? `Authentic: ${record}.`
      : `Consistent, signer not checked: ${record}; nobody has said whose keys these are.`;
    return {
      verdict: pins.length ? "authentic" : "consistent",
      words,
      serial: found.serial,
      title: found.events[0].document.credentialSubject.details.title,
      state,
      size: tree.size,
      day,
      signers: found.keys,
      events: found.events.map(({ document }) => document),
    };
  }

  function* named(found) {
    for (const [number, one] of found.keyEvents.entries()) yield [`key event ${number}`, one];
    for (const [number, one] of found.events.entries()) yield [`event ${number}`, one];
    if (found.certificate !== null) yield ["the certificate", found.certificate];
  }

  async function checkCheckpoint(found, pins) {
    const vkeys = [];
    for (const text of found.keys) {
      const vkey = await readVkey(text);
      refuseUnless(vkey !== null, "the checkpoint: a key is none");
      vkeys.push(vkey);
    }
    const note = readNote(found.checkpoint);
    const tree = readCheckpoint(note.text);
    const known = [...vkeys, ...pins];
    const [signers, later] = [[], []];
    for (const { name, id, body } of note.signatures) {
      const signer = known.find((vkey) => vkey.name === name && vkey.id === id);
      if (signer === undefined) continue;
      // The dearest comes last: it takes a browser as long as everything else.
      const check = async () => refuseUnless(await fits(signer, body, note.text, tree), `the checkpoint: a signature of the known key ${name}+${id} is bad`);
      if (signer.kind === MLDSA44) later.push(check);
      else await check();
      if (!signers.some((one) => one.text === signer.text)) signers.push(signer);
    }
    refuseUnless(signers.length > 0, "the checkpoint: no known key signed the note");
    const asNamed = signers.length === vkeys.length && signers.every((one, i) => one.text === vkeys[i].text);
    refuseUnless(asNamed && note.signatures.length === vkeys.length, "the checkpoint: it is signed by other keys than are named");
    refuseUnless(vkeys.every((vkey) => vkey.name === tree.origin), "the checkpoint: a key is not the log's own");
    const kinds = vkeys.map((vkey) => vkey.kind).sort().join();
    refuseUnless(kinds === "1" || kinds === "1,6", "the checkpoint: the log signs with one Ed25519 key, and one of ML-DSA-44");
    const trusted = vkeys.some((vkey) => pins.some((pin) => pin.text === vkey.text));
    const names = vkeys.map((vkey) => `${vkey.name}+${vkey.id}`).join(", ");
    refuseUnless(pins.length === 0 || trusted, `the checkpoint: no pinned key signed it, but ${names}`);
    return { ...tree, signers: vkeys, later };
  }

  async function checkStatement(found, tree) {
    const [name, document] = ["the statement", found.statement];
    const logKey = tree.signers.find((vkey) => vkey.kind === ED25519);
    const fault = await signatureFault(document, logKey.key);
    refuseUnless(fault === null, `${name}: ${fault}`);
    const said = document.credentialSubject;
    const isOne = equal(document.type, [CREDENTIAL, "HistoryStatement"]) && hasMembers(said, STATEMENT);
    refuseUnless(isOne, `${name}: it is none`);
    const host = document.issuer.includes("://") ? document.issuer.slice(document.issuer.indexOf("://") + 3) : "";
    refuseUnless(tree.origin === `${host}/log`, `${name}: the log is another issuer's`);
    refuseUnless(document.id === `urn:fairwarning:statement:${found.serial}:${tree.size}`, `${name}: its id is another's`);
    refuseUnless(said.serial === found.serial && said.id === OBJECT_URN + found.serial, `${name}: it is of another object`);
    refuseUnless(said.mode === "live" || said.mode === "test", `${name}: its mode is none`);
    refuseUnless(said.size === tree.size && said.root === hex(tree.root), `${name}: it is about another tree than the checkpoint`);
    const ofItsDay = document.validFrom.endsWith(MIDNIGHT) && document.proof.created === document.validFrom;
    refuseUnless(ofItsDay, `${name}: it does not say of which day it is`);
    refuseUnless(said.events === found.events.length, `${name}: the history had ${said.events} events`);
    refuseUnless(said.head === found.events.at(-1).hash, `${name}: the history ended with another event`);
    refuseUnless(said.keyEvents === found.keyEvents.length, `${name}: there were ${said.keyEvents} entries about keys`);
    const told = hex(await sha256(joined(...found.keyEvents.map(({ leaf }) => leaf))));
    refuseUnless(said.keyEventsDigest === told, `${name}: there were other entries about keys`);
  }

  async function checkKeyEvents(found) {
    const keys = new KeyHistory();
    for (const [number, { index, document }] of found.keyEvents.entries()) {
      const name = `key event ${number}`;
      checkIssuer(name, document, found);
      try {
        await keys.play(index, document);
      } catch (fault) {
        if (fault instanceof Refused) throw new Refused(`${name}: ${fault.message}`);
        throw fault;
      }
    }
    return keys;
  }

  function checkLogKeys(keys, tree) {
    for (const vkey of tree.signers) {
      const found = [...keys.keys.values()].find(({ key }) => same(key, vkey.key));
      const purpose = vkey.kind === ED25519 ? "log" : "log-mldsa";
      const isKnown = found !== undefined && found.purpose === purpose;
      refuseUnless(isKnown, "the checkpoint: the log does not know the key that signed it");
      refuseUnless(inUseAt(found, tree.size - 1), "the checkpoint: the key that signed it was not in use then");
    }
    const due = [...keys.keys.values()].filter((key) => key.purpose === "log-mldsa" && inUseAt(key, tree.size - 1));
    const signed = due.every(({ key }) => tree.signers.some((vkey) => same(key, vkey.key)));
    refuseUnless(signed, "the checkpoint: the log's ML-DSA-44 key of that time has not signed it");
  }

  function checkIssuer(name, document, found) {
    refuseUnless(document.issuer === found.statement.issuer, `${name}: it is another issuer's`);
  }

  async function checkIssuerSignature(name, { document, index }, keys) {
    const key = hasMembers(document.proof, PROOF) ? signedWith(document) : null;
    refuseUnless(key !== null, `${name}: the proof names no key`);
    const issuer = await keys.issuer(key);
    refuseUnless(issuer !== undefined, `${name}: it is signed by a key that the log does not know as the issuer's`);
    const fault = await signatureFault(document, key);
    refuseUnless(fault === null, `${name}: ${fault}`);
    refuseUnless(!takenBackAt(issuer, index), `${name}: it was signed after its key was compromised`);
    refuseUnless(inUseAt(issuer, index), `${name}: its key was not in use then`);
  }

  // ── The object ───────────────────────────────────────────────────────────────────────

  function checkChain(found) {
    for (const [number, { document }] of found.events.entries()) {
      const { details, commitments } = document.credentialSubject;
      refuseUnless(isObject(details) && isObject(commitments), `event ${number}: its details are of another kind`);
    }
    let previous = null;
    for (const [seq, { document, hash }] of found.events.entries()) {
      const fault = chainFaults(document, seq, previous, found.serial).next().value;
      refuseUnless(fault === undefined, `event ${seq}: ${fault}`);
      previous = hash;
    }
  }

  function* chainFaults(document, seq, previous, serial) {
    const said = document.credentialSubject;
    if (!hasMembers(said, SUBJECT)) yield "fields of the subject are missing, or too many";
    if (!equal(document.type, [CREDENTIAL, "ProvenanceEvent"])) yield "it is no provenance event";
    if (said.serial !== serial || said.id !== OBJECT_URN + serial) yield "it is of another object";
    if (said.seq !== seq) yield `it says it is event ${said.seq}`;
    if (said.previousHash !== previous) yield "it does not follow from the one before it";
    if (!EVENT_TYPES.includes(said.eventType)) yield `an event of an unknown type '${said.eventType}'`;
    const publicOf = [...(PUBLIC_DETAILS[said.eventType] ?? []), ...(SIGNED_DETAILS[said.eventType] ?? [])];
    if (!Object.keys(said.details).every((one) => publicOf.includes(one))) yield "it has details that such an event has not";
    const privateOf = PRIVATE_DETAILS[said.eventType] ?? [];
    if (!Object.keys(said.commitments).every((one) => privateOf.includes(one))) yield "it commits to what such an event does not say";
    if (seq === 0 && said.eventType !== "registered") yield "a history begins with the registration";
  }

  async function checkEvents(found, keys) {
    let state = "consigned";
    const seen = new Set();
    for (const [number, one] of found.events.entries()) {
      const name = `event ${number}`;
      checkIssuer(name, one.document, found);
      await checkIssuerSignature(name, one, keys);
      const fault = eventFaults(one.document, found.statement).next().value;
      refuseUnless(fault === undefined, `${name}: ${fault}`);
      refuseUnless(!seen.has(one.document.id), `${name}: its id is another event's`);
      seen.add(one.document.id);
      state = after(name, one.document.credentialSubject.eventType, state);
    }
    return state;
  }

  function after(name, kind, state) {
    if (!Object.hasOwn(TRANSITIONS, kind)) return state;
    const [origins, following] = TRANSITIONS[kind];
    const allowed = Object.keys(TRANSITIONS).filter((one) => TRANSITIONS[one][0].includes(state)).join(", ");
    refuseUnless(origins.includes(state), `${name}: ${kind} cannot follow ${state}; allowed there: ${allowed || "none"}`);
    return following;
  }

  function* eventFaults(document, statement) {
    const { eventType: kind, details, actor, mode, commitments } = document.credentialSubject;
    const [at, signedAt] = [document.validFrom, document.proof.created];
    if (!document.id.startsWith("urn:fairwarning:event:")) yield "its id is no event's";
    if (mode !== statement.credentialSubject.mode) yield "it is of another mode";
    if (!ROLES.includes(actor)) yield "its actor is no role";
    const toTheDay = at.endsWith(MIDNIGHT) && signedAt.endsWith(MIDNIGHT);
    if (BY_DAY.includes(kind) && !toTheDay) yield "it tells more of its time than the day";
    if (at > signedAt) yield "it was signed before it happened";
    const signed = SIGNED_DETAILS[kind] ?? [];
    if (!signed.every((one) => one === "supersedes" || Object.hasOwn(details, one))) yield "it lacks details";
    const isDetail = (value) => value === null || typeof value === "string" || isInteger(value);
    if (!Object.values(details).every(isDetail)) yield "its details are of another kind";
    if (kind === "registered" && !isRegistration(details)) yield "it registers nothing that is known";
    if (!Object.values(commitments).every(isHash)) yield "its commitments are no hashes";
  }

  function isRegistration({ category, securityTier, title, link }) {
    const isTier = typeof securityTier === "string" && Object.hasOwn(ANCHORS, securityTier);
    return CATEGORIES.includes(category) && isTier && typeof title === "string" && typeof link === "string";
  }

  async function checkCertificate(found, keys) {
    const name = "the certificate";
    const subjects = found.events.map(({ document }) => document.credentialSubject);
    const bindings = subjects.filter((one) => one.eventType === "binding_completed");
    const one = found.certificate;
    if (one === null) {
      refuseUnless(bindings.length === 0, `${name}: event ${bindings.at(-1)?.seq} names one, and there is none`);
      return;
    }
    const named = bindings.at(-1)?.details.certificate;
    refuseUnless(named === one.hash, `${name}: it is not the one that the last binding names`);
    const boundAt = bindings.at(-1).seq;
    refuseUnless(one.index < found.events[boundAt].index, `${name}: it was logged after the event that names it`);
    checkIssuer(name, one.document, found);
    await checkIssuerSignature(name, one, keys);
    const said = one.document.credentialSubject;
    const isOne = equal(one.document.type, [CREDENTIAL, "ObjectCertificate"]) && hasMembers(said, CERTIFICATE);
    refuseUnless(isOne, `${name}: it is none`);
    refuseUnless(one.document.id.startsWith("urn:fairwarning:certificate:"), `${name}: its id is no certificate's`);
    refuseUnless(one.document.proof.created === one.document.validFrom, `${name}: it is not of the instant at which it was signed`);
    checkCertified(name, said, subjects, boundAt);
  }

  function checkCertified(name, said, subjects, boundAt) {
    const registered = subjects[0];
    const anchors = ANCHORS[registered.details.securityTier];
    const relations = (anchors * (anchors - 1)) / 2;
    const { id, serial, mode } = registered;
    const expected = { id, serial, mode, ...registered.details, spatialRelations: relations, codeBits: relations * 30 };
    for (const [field, value] of Object.entries(expected)) {
      refuseUnless(said[field] === value, `${name}: its ${field} is not the object's`);
    }
    const standing = new Map();
    for (const { eventType, details } of subjects.slice(0, boundAt)) {
      if (eventType === "photographed") {
        standing.set(String(details.angle), canonical(Object.fromEntries(PHOTO.map((one) => [one, details[one]]))));
      }
    }
    const photos = Array.isArray(said.photos) ? said.photos.map(canonical) : null;
    const alike = photos !== null && photos.length === standing.size && [...standing.values()].every((one) => photos.includes(one));
    refuseUnless(alike, `${name}: its photographs are not those of the events`);
    const later = subjects.slice(boundAt).some((one) => one.eventType === "photographed");
    refuseUnless(!later, `${name}: a photograph has come since, and no certificate with it`);
  }

  globalThis.ProofBundle = Object.freeze({ check, canonical, readVkey });
})();
