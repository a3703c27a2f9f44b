// Comparisons in GraphQL.
import { builder } from '../../../graphql/schema-kit/builder.js';
import { pageArgs } from '../../../graphql/schema-kit/connection.js';
import { query } from '../../../graphql/schema-kit/root-fields.js';
import { wantedOf } from '../../../graphql/schema-kit/selected-columns.js';
import { simpleArg } from '../../../graphql/schema-kit/zod-inputs.js';
import { idOf } from '../../../validation/fields.js';
import { FindingConnection } from '../finding.schema.js';
import type { Part } from './compare.reads.js';
import type { Comparison } from './compare.service.js';

const parts: Record<Part, string> = {
  new: 'Findings that the head saw, and neither the base nor an earlier run of the base’s branch.',
  fixed: 'Findings that the base saw and the head did not.',
  unchanged: 'Findings that both saw.',
  reopened: 'Findings that the head saw and the base did not, but an earlier run of the base’s branch did.',
};

const ExecutionComparison = builder.objectRef<Comparison>('ExecutionComparison').implement({
  description: 'What one execution saw beside another; each part with the worst findings first.',
  fields: (t) => {
    const part = (name: Part) =>
      t.field({
        type: FindingConnection,
        authScopes: { can: 'finding:read' },
        description: parts[name],
        args: pageArgs(t.arg),
        resolve: (comparison, args, _context, info) => comparison.list(name, args, wantedOf(info)),
      });
    return {
      new: part('new'),
      fixed: part('fixed'),
      unchanged: part('unchanged'),
      reopened: part('reopened'),
    };
  },
});

query('compareExecutions', ExecutionComparison, 'finding:read', {
  description:
    'Compares two executions of one target, also of different branches. Error NOT_FOUND when one does not exist, ' +
    'VALIDATION_FAILED when they are of different projects or targets, CONFLICT when the results of one have not met the ' +
    'findings.',
  args: (arg) => ({
    base: simpleArg(arg, idOf('TestExecution'), 'Id of the execution that is compared with.'),
    head: simpleArg(arg, idOf('TestExecution'), 'Id of the execution that is looked at.'),
  }),
  run: ({ comparisons }, viewer, { base, head }) => comparisons.compare(viewer, base, head),
});
