// Reads a SARIF log as the product does, with the keys that it recognises results by.

const dist = new URL('../../dist/', import.meta.url);
const { createRootFinder, identityOf } = await import(new URL('features/finding/identity/keys.js', dist));
const { openReport } = await import(new URL('reports/read-report.js', dist));
const { createNotes } = await import(new URL('reports/notes.js', dist));

async function* bytesOf(text) {
  yield Buffer.from(text);
}

/** @param {string} text of a report of any format @returns {Promise<object[]>} its items */
export async function itemsOf(text) {
  const report = await openReport({ open: () => bytesOf(text) }, undefined);
  const items = [];
  for await (const batch of report.read(createNotes())) items.push(...batch);
  return items;
}

/** @param {object[]} items of one report @returns {object[]} their keys */
export function keysOf(items) {
  const finder = createRootFinder();
  for (const { location } of items) if (location?.path !== undefined) finder.see(location.path);
  const root = finder.root();
  return items.map((item) => identityOf(item, { root }));
}
