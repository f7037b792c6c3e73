/**
 * The service worker: what a browser shows when it cannot reach the house.
 *
 * It keeps the shell, `SHELL`, under the name of its `VERSION`, both of which `gateway/shell.py`
 * writes above these lines. Nothing else ever enters a cache: no page, no price, no answer of an
 * API. The network goes first even for the shell, since a script kept from yesterday must not
 * meet the page of today; what is kept is for when there is no network.
 */

/* global VERSION, SHELL */

const KEPT = `shell-${VERSION}`;
const READER = "reader"; // which locale the last page was read in
const LOCALE = "/locale"; // its only entry: no page of that name exists

self.addEventListener("install", (event) => {
  event.waitUntil(keepShell().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(dropOldShells().then(() => self.clients.claim()));
});

self.addEventListener("message", (event) => {
  if (typeof event.data?.locale === "string") event.waitUntil(noteLocale(event.data.locale));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  // A form that was sent may have arrived: of that nothing can be said here.
  if (request.method !== "GET") return;
  const { origin, pathname, search } = new URL(request.url);
  if (request.mode === "navigate") event.respondWith(fetch(request).catch(offline));
  else if (origin === self.location.origin && search === "" && SHELL.includes(pathname)) {
    event.respondWith(fetch(request).catch(() => kept(pathname)));
  }
});

async function keepShell() {
  const cache = await caches.open(KEPT);
  await cache.addAll(SHELL.map((path) => new Request(path, { cache: "no-cache" })));
}

async function dropOldShells() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith("shell-") && name !== KEPT);
  await Promise.all(old.map((name) => caches.delete(name)));
}

async function noteLocale(locale) {
  const cache = await caches.open(READER);
  await cache.put(LOCALE, new Response(locale));
}

async function offline() {
  const noted = await caches.match(LOCALE, { cacheName: READER });
  const locale = (await noted?.text()) ?? self.navigator.language;
  return kept(locale.startsWith("de") ? "/offline/de-DE" : "/offline/en-GB");
}

async function kept(path) {
  return (await caches.match(path, { cacheName: KEPT })) ?? Response.error();
}
