// Before all tests. Jest leaves loading this file to Node, so tsx reads the TypeScript behind it.
import { tsImport } from 'tsx/esm/api';

export default async function setUp() {
  const { startTestInfra } = await tsImport('./test-infra.ts', import.meta.url);
  globalThis.stopTestInfra = await startTestInfra();
}
