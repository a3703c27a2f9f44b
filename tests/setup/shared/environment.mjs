// Where a test file runs. It has globals of its own, but shares the server's modules and the packages with all files of
// its worker: Jest would load and compile a thousand modules again for each file.
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { TestEnvironment } from 'jest-environment-node';
import { register } from 'tsx/esm/api';

register(); // Node.js loads src, which is TypeScript

/** The same in a test as in the server, so that `instanceof` holds. */
const builtIns = { Error, AggregateError, RangeError, SyntaxError, TypeError, Map, Set, Promise };
const clocks = [
  'Date',
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
];

/**
 * Jest's environment, with `loadShared` and `requireShared` for what the transformers beside this file write. A test file
 * whose first comment says `@own-modules` has src to itself, because what it changes there would reach the files after it.
 */
export default class SharingEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    Object.assign(this.global, builtIns);
    const isAlone = context.docblockPragmas['own-modules'] !== undefined;
    const own = isAlone ? register({ namespace: randomUUID() }) : undefined;
    this.global.loadShared =
      own === undefined ? (url) => import(url) : (url) => own.import(url, import.meta.url);
    this.global.requireShared = createRequire(import.meta.url);
    this.global.process.env = process.env; // the server reads what a test sets
    // Fake timers stand in for those of the server, and so for the test's.
    for (const name of clocks)
      Object.defineProperty(this.global, name, { get: () => globalThis[name], configurable: true });
    const FakeTimers = this.fakeTimersModern.constructor;
    this.fakeTimersModern = new FakeTimers({ config: config.projectConfig, global: globalThis });
  }
}
