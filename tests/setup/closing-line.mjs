// A Jest reporter that ends a run with one line a script can read; everything above it is the default reporter's.

/** Prints `N passed, N failed, N skipped` when the process ends, after every other line. */
export default class ClosingLine {
  #line = '0 passed, 0 failed, 0 skipped';

  constructor() {
    process.once('exit', () => process.stdout.write(`${this.#line}\n`));
  }

  /** A file that could not be run at all counts as one failure; skipped ones are pending and todo. */
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    this.#line = `${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped`;
  }
}
