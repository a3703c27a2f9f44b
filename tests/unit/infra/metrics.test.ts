// Histograms as Prometheus reads them: buckets that add up, and a bound on labels of any kind.
import { expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { registerHistogram } from '../../../src/infra/telemetry/histogram.js';
import { samplesOf } from '../../kit/metrics.js';

const setUp = () => {
  const registry = new Registry();
  const observe = registerHistogram(registry, {
    ...{ name: 'wait_seconds', help: 'Wait.', labelNames: ['kind', 'outcome'], bounds: [0.1, 1] },
  });
  return { registry, observe };
};

it('a value counts in its own bucket and all above, at the bound too', async () => {
  const { registry, observe } = setUp();
  for (const value of [0, 0.1, 0.5, 1, 7]) observe(value, 'a', 'ok');
  observe(3, 'a', 'error');
  const text = await registry.metrics();
  expect(text).toMatch(/^# HELP wait_seconds Wait\.\n# TYPE wait_seconds histogram\n/);
  const ok = samplesOf(text).filter(({ labels }) => labels.outcome === 'ok');
  expect(ok.map(({ name, labels, value }) => [name, labels.le, value])).toEqual([
    ['wait_seconds_bucket', '0.1', 2],
    ['wait_seconds_bucket', '1', 4],
    ['wait_seconds_bucket', '+Inf', 5],
    ['wait_seconds_sum', undefined, 8.6],
    ['wait_seconds_count', undefined, 5],
  ]);
});

it('labels without end become "other"', async () => {
  const { registry, observe } = setUp();
  for (let turn = 0; turn < 5000; turn += 1) observe(1, `kind ${turn}`, 'ok');
  const counts = samplesOf(await registry.metrics()).filter(({ name }) => name === 'wait_seconds_count');
  expect(counts.length).toBeLessThanOrEqual(1000);
  expect(counts.reduce((sum, { value }) => sum + value, 0)).toBe(5000);
  expect(counts.find(({ labels }) => labels.kind === 'other')?.value).toBeGreaterThan(4000);
});
