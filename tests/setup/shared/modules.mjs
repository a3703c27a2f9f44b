// A Jest transformer for src: in the place of a module's code it puts the exports of the module that Node.js has loaded.
import { pathToFileURL } from 'node:url';

export default {
  processAsync: async (_source, path) => {
    const url = pathToFileURL(path).href;
    const names = Object.keys(await import(url));
    const exports = names.map((name) => `export const ${name} = shared.${name};`);
    return { code: [`const shared = await loadShared(${JSON.stringify(url)});`, ...exports].join('\n') };
  },
};
