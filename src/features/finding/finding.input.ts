// Shapes and limits of the input of findings: their filter and order.
import { z } from 'zod';
import { dateTime, enumOf, idOf, int, line, orderInput, searchTerm } from '../../validation/fields.js';
import { severities, severity } from '../result/result.input.js';
import { isVulnerabilityId, maxVulnerabilityIdLength } from '../result/vulnerability-ids.js';

export { severities };

/** In the order of the database's enum. */
export const triageStates = ['OPEN', 'CONFIRMED', 'FALSE_POSITIVE', 'RISK_ACCEPTED', 'RESOLVED'] as const;
export type Triage = (typeof triageStates)[number];

export const triageState = enumOf('TriageState', 'Decision of people about a finding.', {
  OPEN: 'Undecided, or the decision has expired.',
  CONFIRMED: 'Confirmed; it waits for a fix.',
  FALSE_POSITIVE: 'Not a weakness; it keeps this state when a run sees it again.',
  RISK_ACCEPTED: 'Risk accepted until a date, on which the finding opens.',
  RESOLVED: 'Fixed; the finding opens when a run sees it again.',
});

export const presence = enumOf('Presence', 'Whether the last complete run on a branch saw a finding.', {
  PRESENT: 'The last run saw it.',
  ABSENT: 'The last run did not see it, or no run on the branch ever has.',
});

/** In the order of the column `delta`. */
export const deltas = ['NEW', 'UNCHANGED', 'REOPENED'] as const;
export const resultDelta = enumOf('ResultDelta', 'Relation of a result to its finding.', {
  NEW: 'No run had seen the finding before.',
  UNCHANGED: 'An earlier run had seen the finding.',
  REOPENED: 'The finding was absent on the branch and has come back.',
});

export const findingFilter = z
  .strictObject({
    project: line(1, 63).nullish().describe('Of the project with this key.'),
    target: line(1, 2000).nullish().describe('Of exactly this target.'),
    tool: line(1, 200).nullish().describe('Of this tool, in any case.'),
    category: line(1, 200).nullish().describe('Of exactly this category of scans.'),
    severity: z.array(severity).max(5).nullish().describe('Any of these severities.'),
    triage: z.array(triageState).max(5).nullish().describe('Any of these decisions.'),
    presence: presence.nullish().describe('Default PRESENT.'),
    branch: line(1, 255)
      .nullish()
      .describe('The branch whose presence counts; the default branch of the project by default.'),
    ruleId: line(1, 300).nullish().describe('Exactly this rule.'),
    cweId: int(1, 99_999).nullish().describe('With this CWE.'),
    cveId: line(1, maxVulnerabilityIdLength)
      .refine(isVulnerabilityId, 'is not the id of a vulnerability')
      .nullish()
      .describe('With this CVE id.'),
    search: searchTerm
      .nullish()
      .describe('Part of the title, rule, location or ids, without regard to case and accents.'),
    assigneeId: idOf('User').nullish().describe('Assigned to this user.'),
    overdue: z.boolean().nullish().describe('Whether it is open or confirmed and its due date has passed.'),
    firstSeenAfter: dateTime.nullish().describe('First seen at or after this time.'),
    firstSeenBefore: dateTime.nullish().describe('First seen before this time.'),
  })
  .meta({ graphql: 'FindingFilter', description: 'Filter for findings; all conditions must hold.' });
export type FindingFilter = z.output<typeof findingFilter>;

export const findingOrder = orderInput('Finding', 'findings', {
  SEVERITY: 'Severity, then the time at which it was first seen.',
  FIRST_SEEN: 'Time at which it was first seen.',
  LAST_SEEN: 'Time of the last run that saw it, then severity.',
  DUE: 'Due date; findings without one are the latest.',
});
export type FindingOrder = z.output<typeof findingOrder>;
