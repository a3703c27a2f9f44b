// Statistics in GraphQL: the query and the subscription.
import { builder } from '../../graphql/schema-kit/builder.js';
import { viewerOf } from '../../graphql/schema-kit/context.js';
import { text, time } from '../../graphql/schema-kit/field-options.js';
import { query } from '../../graphql/schema-kit/root-fields.js';
import { filterArg } from '../../graphql/schema-kit/zod-inputs.js';
import { SeverityCounts } from '../execution/execution.ref.js';
import { statisticsFilter } from './statistics.input.js';
import { maxTop, type RankCounts, toCounts } from './statistics.reads.js';
import type { Statistics } from './statistics.service.js';
import { type Bucket, maxBuckets } from './statistics.trend.js';

const StatisticsBucket = builder.objectRef<Bucket>('StatisticsBucket').implement({
  description: 'A day, week or month of a trend.',
  fields: (t) => ({
    from: t.expose('from', time('Its beginning in the time zone.')),
    open: t.field({
      type: SeverityCounts,
      description:
        'Findings that were open at its end, or are now in the current one, by the severity that they had.',
      resolve: ({ open }) => toCounts(open),
    }),
    opened: t.exposeInt('opened', {
      description:
        'Findings that opened: first seen, seen again, or opened again by a decision or by its expiry.',
    }),
    closed: t.exposeInt('closed', {
      description: 'Findings that closed: no longer seen by a run, or decided so that they need no fix.',
    }),
  }),
});

const RuleCount = builder.objectRef<{ ruleId: string; title: string; count: number }>('RuleCount').implement({
  description: 'The number of open findings of a rule.',
  fields: (t) => ({
    ruleId: t.exposeString('ruleId', text(1200, 'The rule.')),
    title: t.exposeString(
      'title',
      text(2000, 'Title of its worst finding; of the equally bad ones, the latest found.'),
    ),
    count: t.exposeInt('count', { description: 'Its open findings.' }),
  }),
});

const CweCount = builder.objectRef<{ cweId: number; count: number }>('CweCount').implement({
  description: 'The number of open findings of a CWE.',
  fields: (t) => ({
    cweId: t.exposeInt('cweId', { description: 'CWE number.' }),
    count: t.exposeInt('count', { description: 'Its open findings.' }),
  }),
});

const TargetCount = builder.objectRef<RankCounts & { target: string }>('TargetCount').implement({
  description: 'The number of open findings of a target.',
  fields: (t) => ({
    target: t.exposeString('target', text(2000, 'Tested URL, repository, image or host.')),
    counts: t.field({
      type: SeverityCounts,
      description: 'Its open findings by severity.',
      resolve: (row) => row,
    }),
  }),
});

const weight = { entries: maxTop };

const StatisticsType = builder.objectRef<Statistics>('Statistics').implement({
  description:
    'Figures of the findings that the caller may see. Open means PRESENT on the default branch and OPEN or CONFIRMED.',
  fields: (t) => ({
    open: t.field({
      type: SeverityCounts,
      description: 'Open findings by severity; exact.',
      resolve: (statistics) => statistics.open(),
    }),
    byBucket: t.field({
      type: [StatisticsBucket],
      extensions: { weight: { entries: maxBuckets } },
      description: `The trend, oldest first; at most ${maxBuckets} whole buckets.`,
      resolve: async (statistics) => (await statistics.trend()).buckets,
    }),
    topRules: t.field({
      type: [RuleCount],
      extensions: { weight },
      description: `The ${maxTop} rules with the most open findings.`,
      resolve: (statistics) => statistics.rules(),
    }),
    topCwes: t.field({
      type: [CweCount],
      extensions: { weight },
      description: `The ${maxTop} CWEs with the most open findings.`,
      resolve: (statistics) => statistics.cwes(),
    }),
    topTargets: t.field({
      type: [TargetCount],
      extensions: { weight },
      description: `The ${maxTop} targets with the worst open findings.`,
      resolve: (statistics) => statistics.targets(),
    }),
    meanSecondsToResolve: t.float({
      nullable: true,
      description:
        'Mean time for which the findings were open that the trend shows as resolved: no longer seen, or decided RESOLVED.',
      resolve: async (statistics) => (await statistics.trend()).meanSecondsToResolve,
    }),
    overdue: t.int({
      description: 'Open findings whose due date has passed.',
      resolve: (statistics) => statistics.overdue(),
    }),
  }),
});

query('statistics', StatisticsType, 'finding:read', {
  description: 'Figures of the findings of all projects that the caller may see, or of the filter.',
  args: (arg) => ({ filter: filterArg(arg, 'StatisticsFilter', statisticsFilter) }),
  run: ({ statistics }, viewer, { filter }) => statistics.of(viewer, filter ?? {}),
});

builder.subscriptionField('statisticsChanged', (t) =>
  t.field({
    type: StatisticsType,
    authScopes: { can: 'finding:read' },
    description:
      'The statistics at once, and again after findings opened, closed or changed their severity or state, at most once a ' +
      'second.',
    args: { filter: filterArg(t.arg, 'StatisticsFilter', statisticsFilter) },
    subscribe: (_root, { filter }, context) => {
      const viewer = viewerOf(context);
      const { streams, statistics } = context.services;
      return streams.open(viewer, (signal) => statistics.follow(viewer, filter ?? {}, signal));
    },
    resolve: (statistics) => statistics,
  }),
);
