// What is run from dist has to be built in a checkout; an installed package brings it.
import { existsSync } from 'node:fs';

if (!existsSync(new URL('../dist/cli/main.js', import.meta.url))) {
  console.error('Not built yet: run npm run build');
  process.exit(3);
}
