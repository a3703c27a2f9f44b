// An issue of GitLab's code quality report, which is Code Climate's, as a draft.
import type { DraftItem, SeverityRank } from '../../item.js';
import { firstString, numberOf, objectOf, stringsOf, textFrom, wordOf } from '../../text.js';

const severities = new Map<string, SeverityRank>([
  ['info', 0],
  ['minor', 1],
  ['major', 2],
  ['critical', 3],
  ['blocker', 4],
]);

/** The draft of an issue. */
export function qualityDraft(issue: Record<string, unknown>): DraftItem {
  const location = objectOf(issue.location) ?? {};
  const lines = objectOf(location.lines);
  const positions = objectOf(location.positions);
  const [begin, end] = [objectOf(positions?.begin), objectOf(positions?.end)];
  const description = textFrom(issue.description);
  return {
    title: firstString(description, issue.check_name) ?? '',
    severity: severities.get(wordOf(issue.severity)) ?? 2,
    description: firstString(objectOf(issue.content)?.body, description),
    ruleId: firstString(issue.check_name),
    location: {
      path: firstString(location.path) ?? undefined,
      startLine: numberOf(begin?.line ?? lines?.begin),
      startColumn: numberOf(begin?.column),
      endLine: numberOf(end?.line ?? lines?.end),
      endColumn: numberOf(end?.column),
    },
    tags: stringsOf(issue.categories),
    toolFingerprint: firstString(issue.fingerprint),
  };
}
