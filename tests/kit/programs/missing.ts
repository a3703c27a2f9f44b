// Says that a program which tests need is missing: on a developer's machine they are skipped, in CI they must not be.

/** @throws Error in CI, where a skipped test would look like one that holds */
export function tellMissing(message: string): void {
  if (process.env.CI) throw new Error(`${message} CI needs it: .ci/run installs it.`);
  console.warn(`\n${message} The tests that need it are skipped.`);
}
