// A histogram for the hot path: observing is two additions, and Prometheus's client reads it when it is asked.
import type { Metric, Registry } from 'prom-client';

interface HistogramOptions {
  name: string;
  help: string;
  labelNames: readonly string[];
  /** Upper bounds of the buckets, ascending. */
  bounds: readonly number[];
}

/** Observes a value under the values of the labels, in their order. */
export type Observe = (value: number, ...labels: string[]) => void;

interface Child {
  labels: Record<string, string>;
  /** Values by bucket, not yet added up; the last is for those beyond all bounds. */
  counts: Float64Array;
  sum: number;
}

/** Found label by label: joining them to one key would take longer than all the rest. */
interface Node {
  path: string[];
  next: Map<string, Node>;
  child?: Child;
}

/** Values that labels may take in all. Beyond them they count as "other": a mistake must not fill the memory. */
const maxNodes = 1000;

/** prom-client's own looks its labels up anew for each value, which takes longer than all else that is measured here. */
export function registerHistogram(registry: Registry, options: HistogramOptions): Observe {
  const { name, help, labelNames, bounds } = options;
  const root: Node = { path: [], next: new Map() };
  const children: Child[] = [];
  let nodes = 0;

  function grow(parent: Node, value: string): Node {
    const label = nodes < maxNodes ? value : 'other';
    const known = parent.next.get(label);
    if (known !== undefined) return known;
    nodes += 1;
    const node = { path: [...parent.path, label], next: new Map() };
    parent.next.set(label, node);
    return node;
  }

  function bear({ path }: Node): Child {
    const labels = Object.fromEntries(labelNames.map((label, index) => [label, path[index] ?? '']));
    const child = { labels, counts: new Float64Array(bounds.length + 1), sum: 0 };
    children.push(child);
    return child;
  }

  function valuesOf({ labels, counts, sum }: Child) {
    let count = 0;
    const buckets = [...bounds, '+Inf'].map((le, index) => {
      count += counts[index] as number;
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }

  const get = async () => ({
    ...{ name, help, type: 'histogram', aggregator: 'sum' },
    values: children.flatMap(valuesOf),
  });
  registry.registerMetric({ name, get } as unknown as Metric);

  return (value, ...labels) => {
    let node = root;
    for (const label of labels) node = node.next.get(label) ?? grow(node, label);
    node.child ??= bear(node);
    const { child } = node;
    let index = 0;
    while (index < bounds.length && value > (bounds[index] as number)) index += 1;
    child.counts[index] = (child.counts[index] as number) + 1;
    child.sum += value;
  };
}
