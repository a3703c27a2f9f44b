// Logs how many executions wait to be settled; after an upgrade these are all past ones.
import type { Logger } from 'pino';

/** Fewer than these are everyday business. */
const tellFrom = 100;
const tellEveryMs = 30_000;

/** The backlog as this instance last counted it. */
export interface SettlingProgress {
  /** Takes a count, and logs it now and then while there is much to settle. */
  counted: (left: number) => void;
  left: () => number;
}

/** @param now milliseconds since 1970 */
export function createProgress(log: Logger, now: () => number): SettlingProgress {
  let left = 0;
  let toldAt: number | undefined;
  let before: { left: number; at: number } | undefined;
  return {
    left: () => left,
    counted(count) {
      left = count;
      if (count < tellFrom && before === undefined) return;
      if (count > 0 && toldAt !== undefined && now() - toldAt < tellEveryMs) return;
      toldAt = now();
      const perMinute = before && Math.round(((before.left - count) * 60_000) / (toldAt - before.at));
      log.info({
        event: 'results_settling',
        executionsLeft: count,
        ...(perMinute !== undefined && { perMinute }),
      });
      before = count === 0 ? undefined : { left: count, at: toldAt };
      if (count === 0) toldAt = undefined;
    },
  };
}
