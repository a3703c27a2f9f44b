// What a fault found out: figures beside their goals, and the table of them.

/** Gathers figures of one fault. */
export function createFigures() {
  const rows = [];
  return {
    rows,
    /** A figure that must be at most `limit`. */
    atMost: (what, value, limit, unit = '') =>
      rows.push({ what, value: show(value, unit), goal: `≤ ${limit}${space(unit)}`, isMet: value <= limit }),
    atLeast: (what, value, limit, unit = '') =>
      rows.push({ what, value: show(value, unit), goal: `≥ ${limit}${space(unit)}`, isMet: value >= limit }),
    is: (what, value, wanted) =>
      rows.push({ what, value: show(value), goal: show(wanted), isMet: Object.is(value, wanted) }),
    /** A figure without a goal. */
    note: (what, value, unit = '') => rows.push({ what, value: show(value, unit), goal: '', isMet: true }),
  };
}

const space = (unit) => (unit === '' ? '' : ` ${unit}`);

function show(value, unit = '') {
  if (typeof value !== 'number') return `${value}${space(unit)}`;
  const digits = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : 1;
  return `${value.toLocaleString('en', { maximumFractionDigits: digits })}${space(unit)}`;
}

/** The table of one fault, in Markdown. */
export function tableOf({ id, title }, rows) {
  const cells = [
    ['Figure', 'Measured', 'Goal', ''],
    ...rows.map(({ what, value, goal, isMet }) => [
      what,
      value,
      goal,
      goal === '' ? '' : isMet ? 'met' : 'MISSED',
    ]),
  ];
  const widths = cells[0].map((_, column) => Math.max(2, ...cells.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [`${id}  ${title}`, '', line(cells[0]), rule, ...cells.slice(1).map(line), ''].join('\n');
}

/** Those that brought no answer or one with an error, which GraphQL may send with 200. */
export const failuresOf = (samples) =>
  samples.filter(({ status, code }) => status !== 200 || code !== undefined);

export const longest = (samples) => Math.max(0, ...samples.map(({ ms }) => ms));

/** The value below which so great a share of the samples' times lies; NaN of none. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const p99 = (samples) =>
  percentile(
    samples.map(({ ms }) => ms),
    0.99,
  );

/** How often each status and code came, for the eye: "200 ×15, 503 UNAVAILABLE ×2". */
export function tally(samples) {
  const counts = new Map();
  for (const { status, code, error } of samples) {
    const key = [status || error, code].filter(Boolean).join(' ');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => `${key} ×${count}`).join(', ') || 'none';
}
