// Keeps all files of the page, so that it works without a network, and isolates it, which threads of WebAssembly need.

const FILES = "kallos-VERSION";
const NAMES = [/* NAMES */];
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Content-Security-Policy": "POLICY", // of the page, for the threads of WebAssembly, too
};

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(caches.open(FILES).then((cache) => cache.addAll(NAMES)));
});

self.addEventListener("activate", (event) => {
  const others = async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith("kallos-") && name !== FILES).map((n) => caches.delete(n)));
    await self.clients.claim();
  };
  event.waitUntil(others());
});

self.addEventListener("fetch", (event) => {
  if (new URL(event.request.url).origin !== location.origin || event.request.method !== "GET") return;
  event.respondWith(answer(event.request));
});

async function answer(request) {
  const found = (await caches.match(request, { ignoreSearch: true })) ?? (await fetch(request));
  if (found.type === "opaque" || found.type === "opaqueredirect") return found;
  const headers = new Headers(found.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(found.body, { status: found.status, statusText: found.statusText, headers });
}
