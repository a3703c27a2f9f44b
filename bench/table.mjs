// The figures as one Markdown table.

/** Requests a second, the product's ratios, latencies and memory, a row per workload and contestant. */
export function tableOf({ workloads }) {
  const lines = [
    '| | | requests/s | of the limit | product is | p50 | p99 | memory |',
    '|--|--|--:|--:|--:|--:|--:|--:|',
  ];
  for (const [workload, rows] of Object.entries(workloads)) {
    for (const [name, row] of Object.entries(rows)) {
      const ofLimit = rows.limit && name !== 'limit' ? (row.perSecond / rows.limit.perSecond).toFixed(2) : '';
      const ahead =
        rows.product && name !== 'product' ? `× ${(rows.product.perSecond / row.perSecond).toFixed(2)}` : '';
      const cells = [
        workload,
        name,
        count(row.perSecond),
        ofLimit,
        ahead,
        ms(row.p50),
        ms(row.p99),
        `${row.residentMb} MB`,
      ];
      lines.push(`| ${cells.join(' | ')} |`);
    }
  }
  return lines.join('\n');
}

export const count = (value) => Math.round(value).toLocaleString('en');
export const ms = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
