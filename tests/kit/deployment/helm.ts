// Helm, where one is installed, and the chart as it renders it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { tellMissing } from '../programs/missing.js';

export const chart = 'deploy/helm/sec-tester-api';

const candidates = ['helm', resolve('.data/helm/helm')]; // scripts/install-helm.mjs installs the second
const program = candidates.find((path) => spawnSync(path, ['version']).status === 0);

/** Whether Helm is there for the tests that need it. */
export const hasHelm = program !== undefined;

if (!hasHelm) tellMissing('There is no helm; node scripts/install-helm.mjs installs it.');

/** What Kubernetes gets. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; annotations?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a shape of its own
  spec: any;
}

/** Runs Helm on the chart. @returns the exit code and all that it printed */
export function helm(command: string[], values: unknown = {}): { code: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sec-tester-helm-'));
  try {
    const file = join(folder, 'values.json');
    writeFileSync(file, JSON.stringify(values));
    const { status, stdout, stderr } = spawnSync(program ?? 'helm', [...command, chart, '--values', file], {
      encoding: 'utf8',
    });
    return { code: status, output: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The manifests of a release named `demo`. @throws Error with the words of Helm */
export function render(values: unknown = {}): Manifest[] {
  const { code, output } = helm(['template', 'demo'], values);
  if (code !== 0) throw new Error(output);
  // YAML 1.1, as Kubernetes reads it: 0440 is an octal number.
  const documents = parseAllDocuments(output, { version: '1.1' });
  return documents.map((document) => document.toJS() as Manifest).filter((manifest) => manifest !== null);
}
