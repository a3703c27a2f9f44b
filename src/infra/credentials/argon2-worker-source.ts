// The program of the threads in argon2-workers.ts. It is text because tests run the TypeScript sources, where a worker could
// not load a file of the build.

/**
 * CommonJS source of a worker. `workerData` lists libraries as `{ name, path }`, in order of preference; a path is null for
 * a package that is not installed. The worker posts `{ library, skipped }` once, then `{ id, value }` or `{ id, failure }`
 * for each `{ id, password, parameters }` (hash) and `{ id, password, phc }` (verify).
 */
export const argon2WorkerSource = `
const { parentPort, workerData } = require('node:worker_threads');

const argon2id = 2;

/** One face for both libraries: @node-rs/argon2 works on this thread, argon2 returns promises. */
function load() {
  const skipped = [];
  for (const { name, path } of workerData) {
    try {
      if (path === null) throw new Error('not installed');
      const library = require(path);
      parentPort.postMessage({ library: name, skipped });
      if (library.hashSync === undefined)
        return {
          hash: (password, parameters) => library.hash(password, { ...parameters, type: argon2id }),
          verify: (phc, password) => library.verify(phc, password),
        };
      return {
        hash: (password, parameters) => library.hashSync(password, { ...parameters, algorithm: argon2id }),
        verify: (phc, password) => library.verifySync(phc, password),
      };
    } catch (error) {
      skipped.push(name + ': ' + String(error.message).split('\\n')[0]);
    }
  }
  throw new Error('no Argon2 library can be loaded: ' + skipped.join('; '));
}

const argon2 = load();
let last = Promise.resolve();

async function work({ id, password, parameters, phc }) {
  try {
    const value = await (phc === undefined ? argon2.hash(password, parameters) : argon2.verify(phc, password));
    parentPort.postMessage({ id, value });
  } catch (error) {
    parentPort.postMessage({ id, failure: error.message });
  }
}

parentPort.on('message', (job) => {
  last = last.then(() => work(job));
});`;
