// The figures as Markdown: one table of rates and ratios, one of latencies and memory.

/** Both tables of a comparison. */
export function tablesOf({ workloads }) {
  const names = Object.keys(workloads);
  const who = Object.keys(Object.values(workloads)[0]);
  return [ratesOf(workloads, names, who), detailsOf(workloads)].join('\n\n');
}

/** A column per workload: requests a second, then the ratios. */
function ratesOf(workloads, names, who) {
  const row = (title, cellOf) => `| ${title} | ${names.map((name) => cellOf(workloads[name])).join(' | ')} |`;
  const lines = [`| | ${names.join(' | ')} |`, `|--|${names.map(() => '--:').join('|')}|`];
  for (const one of who) lines.push(row(`${one}, requests/s`, (rows) => count(rows[one].perSecond)));
  if (who.includes('limit')) {
    for (const one of who.filter((name) => name !== 'limit'))
      lines.push(row(`${one}, of the limit`, (rows) => ratio(rows[one], rows.limit)));
  }
  if (who.includes('product')) {
    for (const one of who.filter((name) => name !== 'limit' && name !== 'product'))
      lines.push(row(`product to ${one}`, (rows) => `× ${ratio(rows.product, rows[one])}`));
  }
  return lines.join('\n');
}

function detailsOf(workloads) {
  const lines = [
    '| | | p50 | p99 | processor time of a request | memory | failed | rounds, requests/s |',
    '|--|--|--:|--:|--:|--:|--:|--|',
  ];
  for (const [workload, rows] of Object.entries(workloads)) {
    for (const [name, { p50, p99, cpuMs, residentMb, failed, rounds }] of Object.entries(rows))
      lines.push(
        `| ${[workload, name, ms(p50), ms(p99), `${cpuMs.toFixed(2)} ms`, `${residentMb} MB`, failed, rounds.join(' ')].join(' | ')} |`,
      );
  }
  return lines.join('\n');
}

const ratio = (one, other) => (one.perSecond / other.perSecond).toFixed(2);
export const count = (value) => Math.round(value).toLocaleString('en');
export const ms = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
