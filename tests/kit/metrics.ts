// Reading /metrics in tests: the samples of the text that Prometheus would read.
import type { TestServer } from './harness.js';

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** The samples of a text in Prometheus's format; every line must be one, or a comment. */
export function samplesOf(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name, labels = '', value] = /^([a-z_]\w*)(?:\{(.*)\})? (\S+)$/i.exec(line) ?? [];
      if (name === undefined) throw new Error(`no sample: ${line}`);
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]);
      return { name, labels: Object.fromEntries(pairs), value: Number(value) };
    });
}

export async function readMetrics(server: TestServer, token?: string): Promise<Sample[]> {
  const { status, body } = await server.rest('GET', '/metrics', token === undefined ? {} : { token });
  if (status !== 200) throw new Error(`/metrics: ${status}`);
  return samplesOf(body);
}

/** The value of one sample, 0 when it is not there yet. */
export function sampleValue(samples: Sample[], name: string, labels: Record<string, string> = {}): number {
  const fits = (sample: Sample) =>
    sample.name === `sec_tester_${name}` &&
    Object.entries(labels).every(([key, value]) => sample.labels[key] === value);
  return samples.filter(fits).reduce((sum, { value }) => sum + value, 0);
}
