// After all tests.
export default async function tearDown() {
  await globalThis.stopTestInfra();
}
