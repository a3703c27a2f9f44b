// The states of triage as data, and the shape of the input that decides about findings.
import { z } from 'zod';
import { dateTime, idOf, line, objectOf, text } from '../../../validation/fields.js';
import { severity } from '../../result/result.input.js';
import { findingFilter, type Triage, triageState, triageStates } from '../finding.input.js';

/** Requirements of a state on a decision, and the states that it may follow. */
export interface TriageRule {
  needsReason: boolean;
  needsEnd: boolean;
  from: readonly Triage[];
}

/**
 * The states of triage as data. A state may follow itself: a new reason or end is a decision too. Nothing of a false positive
 * is ever fixed, and a weakness that is fixed leaves no risk to accept; such findings are opened first.
 */
export const triageRules: Readonly<Record<Triage, TriageRule>> = {
  OPEN: { needsReason: false, needsEnd: false, from: triageStates },
  CONFIRMED: { needsReason: false, needsEnd: false, from: triageStates },
  FALSE_POSITIVE: { needsReason: true, needsEnd: false, from: triageStates },
  RISK_ACCEPTED: {
    needsReason: true,
    needsEnd: true,
    from: triageStates.filter((state) => state !== 'RESOLVED'),
  },
  RESOLVED: {
    needsReason: false,
    needsEnd: false,
    from: triageStates.filter((state) => state !== 'FALSE_POSITIVE'),
  },
};

/** Findings that one call decides about at most. */
export const maxTriaged = 100_000;

export const triageFindingsInput = objectOf('A decision about findings: all of them change, or none.', {
  ids: z
    .array(idOf('Finding'))
    .min(1, 'must have at least 1 id')
    .max(maxTriaged, `must have at most ${maxTriaged} ids`)
    .nullish()
    .describe('These findings, at most 100,000. Error NOT_FOUND when one does not exist.'),
  filter: findingFilter
    .nullish()
    .describe('All findings of the filter in projects where the caller may triage; at most 100,000.'),
  state: triageState.nullish().describe('Decision; it stays as it is by default.'),
  expectedState: z
    .array(triageState)
    .min(1, 'must have at least 1 state')
    .max(5)
    .nullish()
    .describe('Error CONFLICT, and no change, unless each finding is in one of these states.'),
  reason: line(1, 500)
    .nullish()
    .describe('Reason of the decision; FALSE_POSITIVE and RISK_ACCEPTED need one.'),
  comment: text(5000).nullish().describe('Comment; null removes it.'),
  acceptedUntil: dateTime
    .nullish()
    .describe(
      'End of a RISK_ACCEPTED, which needs one: in the future, at most RISK_ACCEPTANCE_MAX_DAYS ahead.',
    ),
  severityOverride: severity
    .nullish()
    .describe('Severity in place of the reported one; null removes the override.'),
  assigneeId: idOf('User').nullish().describe('The assigned user; null for none.'),
  dryRun: z
    .boolean()
    .nullish()
    .describe('Changes nothing; the payload has the outcome that the change would have.'),
});
export type TriageFindingsInput = z.output<typeof triageFindingsInput>;
