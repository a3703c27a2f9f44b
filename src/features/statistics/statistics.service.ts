// Statistics of findings: figures that are read when a field asks for them, and a stream that says when they have changed.
import type { Viewer } from '../../core/permissions.js';
import type { Stream } from '../../core/pull-stream.js';
import { createFigures } from './figures.js';
import { createStatisticsFeed, type StatisticsFeedOptions } from './statistics.feed.js';
import type { StatisticsFilter } from './statistics.input.js';
import {
  countOpen,
  countOverdue,
  type RankCounts,
  topCwes,
  topRules,
  topTargets,
} from './statistics.reads.js';
import { projectConditions, scopeOf } from './statistics.scope.js';
import { readTrend, type Trend } from './statistics.trend.js';

/** Dependencies of reading statistics. */
export interface StatisticsOptions extends StatisticsFeedOptions {
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Figures of the findings that a viewer sees; each is read when it is asked for. */
export interface Statistics {
  open: () => Promise<RankCounts>;
  rules: () => ReturnType<typeof topRules>;
  cwes: () => ReturnType<typeof topCwes>;
  targets: () => ReturnType<typeof topTargets>;
  overdue: () => Promise<number>;
  /** Read once for all its fields. @throws VALIDATION_FAILED for a range without a length or of more than 400 buckets */
  trend: () => Promise<Trend>;
}

/** Reads statistics. */
export type StatisticsService = ReturnType<typeof createStatisticsService>;

/** Creates the service. */
export function createStatisticsService(options: StatisticsOptions) {
  const feed = createStatisticsFeed(options);
  const of = (viewer: Viewer, filter: StatisticsFilter) => statisticsOf(options, viewer, filter);
  return {
    of,

    /**
     * The statistics at once, and after changes of the findings that they are about, at most once a second.
     * @param signal ends the stream; its reason is thrown
     */
    follow: (viewer: Viewer, filter: StatisticsFilter, signal: AbortSignal): Promise<Stream<Statistics>> =>
      feed.follow(
        () => projectConditions(viewer, filter),
        () => of(viewer, filter),
        signal,
      ),

    /** Figures of the installation for /metrics. */
    figures: createFigures(options),

    /** Ends all streams, for the server's stop. */
    close: () => feed.close(),
  };
}

function statisticsOf(
  { db: { lists }, now }: StatisticsOptions,
  viewer: Viewer,
  filter: StatisticsFilter,
): Statistics {
  const scope = scopeOf(viewer, filter);
  let reading: Promise<Trend> | undefined;
  return {
    open: () => countOpen(lists, scope),
    rules: () => topRules(lists, scope),
    cwes: () => topCwes(lists, scope),
    targets: () => topTargets(lists, scope),
    overdue: () => countOverdue(lists, scope, new Date(now())),
    trend: () => {
      reading ??= readTrend(lists, scope, filter, now());
      return reading;
    },
  };
}
