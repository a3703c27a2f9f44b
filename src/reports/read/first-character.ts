// The first character of a report, for formats that come in several notations.
import type { ReportSource } from '../format.js';

/** The first character that is no blank; undefined for a blank report. */
export async function firstCharacter(source: ReportSource): Promise<string | undefined> {
  for await (const chunk of source.open()) {
    const first = Buffer.from(chunk).toString('latin1').trimStart()[0];
    if (first !== undefined) return first;
  }
  return undefined;
}
