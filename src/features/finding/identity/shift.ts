// Learns how the lines of a file moved between two runs from the findings that are recognised already.

/** A recognised finding: its line then and now. */
export interface Anchor {
  oldLine: number;
  newLine: number;
}

/** By how many lines a place may have moved: as the anchors ahead of it and after it have. */
export interface Shift {
  /** Lines between a place and where its anchors expect it; 0 when they expect exactly that, undefined without anchors. */
  distance: (oldLine: number, newLine: number) => number | undefined;
  /** New lines at which an old one is expected, at most two. */
  expected: (oldLine: number) => number[];
  /** Whether a new line lies between the anchors around an old one, so that no code has to change places for it. */
  isBetween: (oldLine: number, newLine: number) => boolean;
}

/** The cost of a change of the shift: one edit moves all that follows, however large it is. */
export function jump(lines: number): number {
  return lines === 0 ? 0 : 1 + Math.log2(lines) / 4;
}

const oldLineOf = ({ oldLine }: Anchor): number => oldLine;

/** Learns from anchors in any order. It leaves out as few as possible, so that the rest cross no others (moved code does). */
export function learnShift(anchors: readonly Anchor[]): Shift {
  const known = increasing(anchors.filter(({ oldLine, newLine }) => oldLine > 0 && newLine > 0));
  const around = (oldLine: number): number[] => {
    if (known.length === 0) return [];
    const after = firstAtOrAfter(known, oldLine, oldLineOf);
    const above = known[after];
    if (above?.oldLine === oldLine) return [above.newLine - above.oldLine];
    const below = known[after - 1];
    const shifts = [below === undefined ? 0 : below.newLine - below.oldLine];
    if (above !== undefined && above.newLine - above.oldLine !== shifts[0])
      shifts.push(above.newLine - above.oldLine);
    return shifts;
  };
  return {
    isBetween(oldLine, newLine) {
      const at = firstAtOrAfter(known, oldLine, oldLineOf);
      const above = known[at]?.oldLine === oldLine ? known[at + 1] : known[at];
      return newLine >= (known[at - 1]?.newLine ?? 0) && newLine <= (above?.newLine ?? Infinity);
    },
    expected: (oldLine) => around(oldLine).map((shift) => oldLine + shift),
    distance(oldLine, newLine) {
      const shifts = around(oldLine);
      if (shifts.length === 0) return undefined;
      return Math.min(...shifts.map((shift) => Math.abs(newLine - oldLine - shift)));
    },
  };
}

/** The index of the first entry at or after a line; the length of the list where there is none. */
export function firstAtOrAfter<Entry>(
  sorted: readonly Entry[],
  line: number,
  lineOf: (entry: Entry) => number,
): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (lineOf(sorted[middle] as Entry) < line) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The longest run of anchors whose lines grow on both sides (patience sorting). */
function increasing(anchors: readonly Anchor[]): Anchor[] {
  const sorted = [...anchors].sort((a, b) => a.oldLine - b.oldLine || b.newLine - a.newLine);
  const ends: number[] = [];
  const previous: number[] = [];
  for (const [index, { newLine }] of sorted.entries()) {
    let [from, to] = [0, ends.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((sorted[ends[middle] as number] as Anchor).newLine < newLine) from = middle + 1;
      else to = middle;
    }
    previous[index] = from === 0 ? -1 : (ends[from - 1] as number);
    ends[from] = index;
  }
  const found: Anchor[] = [];
  for (let at = ends.at(-1) ?? -1; at !== -1; at = previous[at] as number) found.push(sorted[at] as Anchor);
  return found.reverse();
}
