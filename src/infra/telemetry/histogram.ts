// A histogram for the hot path: observing a value is two additions, and prom-client reads the sums at each scrape.
import type { Metric, Registry } from 'prom-client';

interface HistogramOptions {
  name: string;
  help: string;
  labelNames: readonly string[];
  /** Upper bounds of the buckets, ascending. */
  bounds: readonly number[];
}

/** Observes a value; `labels` are the values of the labels in the order of their names. */
export type Observe = (value: number, ...labels: string[]) => void;

interface Child {
  labels: Record<string, string>;
  /** Observations by bucket, not cumulative; the last one counts values beyond all bounds. */
  counts: Float64Array;
  sum: number;
}

/** A tree, one level for each label: joining the labels to one key would take longer than the rest. */
interface Node {
  path: string[];
  next: Map<string, Node>;
  child?: Child;
}

/** Label values in all. Further ones count as "other", so that a mistake cannot fill the memory. */
const maxNodes = 1000;

/**
 * Registers a histogram. prom-client's own looks up its labels for each value, which takes longer than what is measured.
 * @returns observes one value
 */
export function registerHistogram(registry: Registry, options: HistogramOptions): Observe {
  const { name, help, labelNames, bounds } = options;
  const root: Node = { path: [], next: new Map() };
  const children: Child[] = [];
  let nodes = 0;

  function grow(parent: Node, value: string): Node {
    const label = nodes < maxNodes ? value : 'other';
    const existing = parent.next.get(label);
    if (existing !== undefined) return existing;
    nodes += 1;
    const node = { path: [...parent.path, label], next: new Map() };
    parent.next.set(label, node);
    return node;
  }

  function addChild({ path }: Node): Child {
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
    name,
    help,
    type: 'histogram',
    aggregator: 'sum',
    values: children.flatMap(valuesOf),
  });
  // The registry reads only `name` and `get` of a metric; its type asks for the whole class.
  registry.registerMetric({ name, get } as unknown as Metric);

  return (value, ...labels) => {
    let node = root;
    for (const label of labels) node = node.next.get(label) ?? grow(node, label);
    node.child ??= addChild(node);
    const { child } = node;
    let index = 0;
    while (index < bounds.length && value > (bounds[index] as number)) index += 1;
    child.counts[index] = (child.counts[index] as number) + 1;
    child.sum += value;
  };
}
