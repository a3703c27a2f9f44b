// Collects the rules of a SARIF run while its results pass, so that they stand behind them.
import { copyNull, listOf, textOf } from '../../../infra/postgres/bulk/copy-text.js';
import type { ExportRow } from '../export.rows.js';

/** Scores of ranks, as GitHub reads `security-severity`. */
export const scores = ['0.0', '3.0', '5.5', '8.0', '9.5'] as const;

/** GitHub shows ten tags of a rule, and takes twenty. */
const maxTags = 10;

interface Rule {
  index: number;
  /** The worst rank of its results. */
  rank: number;
  json: Record<string, unknown>;
}

/** The rules of a run by their ids, as COPY sends them. */
export class SarifRules {
  readonly #rules = new Map<string, Rule>();

  /** @param isDetailed whether rules have the descriptions that GitHub asks for */
  constructor(private readonly isDetailed: boolean) {}

  /** The index of a result's rule; undefined for a result without a rule. */
  indexOf(row: ExportRow): number | undefined {
    if (row.ruleId === copyNull) return undefined;
    const rank = Number(row.severity);
    const known = this.#rules.get(row.ruleId);
    if (known !== undefined) {
      if (rank > known.rank) known.rank = rank;
      return known.index;
    }
    const index = this.#rules.size;
    this.#rules.set(row.ruleId, { index, rank, json: this.isDetailed ? detailedRuleOf(row) : ruleOf(row) });
    return index;
  }

  /** The rules in the order of their indexes. */
  toJson(): object[] {
    return [...this.#rules.values()].map(({ rank, json }) => ({
      ...json,
      properties: { tags: json.tags, 'security-severity': scores[rank] },
      tags: undefined,
    }));
  }
}

function ruleOf(row: ExportRow): Record<string, unknown> {
  const helpUri = listOf(row.references).find((reference) => URL.canParse(reference));
  return {
    id: textOf(row.ruleId),
    shortDescription: { text: textOf(row.title) },
    ...(helpUri !== undefined && { helpUri: new URL(helpUri).href }),
    tags: ['security', ...listOf(row.cweIds).map((cwe) => `external/cwe/cwe-${cwe}`)].slice(0, maxTags),
  };
}

function detailedRuleOf(row: ExportRow): Record<string, unknown> {
  const title = textOf(row.title) ?? '';
  const description = textOf(row.description) ?? title;
  return {
    ...ruleOf(row),
    fullDescription: { text: description.slice(0, 1000) },
    help: { text: [description, textOf(row.remediation)].filter((part) => part !== null).join('\n\n') },
  };
}
