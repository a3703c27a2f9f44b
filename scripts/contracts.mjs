// Prints schema.graphql and openapi.yaml from the built server. With --check: exits 1 when they have drifted.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { printContracts } = await import('../dist/api/contracts.js');
let hasDrifted = false;
for (const [file, text] of Object.entries(printContracts())) {
  const path = join(root, file);
  if (process.argv.includes('--check')) {
    if (readFileSync(path, 'utf8') === text) continue;
    hasDrifted = true;
    console.error(`${file} is not what the code says: run npm run contracts`);
  } else {
    writeFileSync(path, text);
    console.log(`wrote ${file}`);
  }
}
process.exitCode = hasDrifted ? 1 : 0;
