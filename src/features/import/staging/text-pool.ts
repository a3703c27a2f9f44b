// Finds the texts that results of a report have in common, such as the explanation of their rule, so that they are stored once.
import { uuidOf } from '../../../core/ids.js';
import type { BulkConnection } from '../../../infra/postgres/bulk/connection.js';
import { sql } from '../../../infra/postgres/sql.js';
import type { ReportItem } from '../../../reports/item.js';

/** The parts of a result that may be stored elsewhere. */
type Parts = Pick<ReportItem, 'description' | 'remediation' | 'references' | 'tags'>;

/** A result's own parts, and the key of the others. */
export interface SplitTexts extends Parts {
  /** Null where the result has all parts itself. */
  textKey: string | null;
}

/** See {@link createTextPool}. */
export type TextPool = ReturnType<typeof createTextPool>;

/** Texts that are kept in mind; beyond either limit the others stay with their results. */
const maxTexts = 5000;
const maxCharacters = 4_000_000;
/** A text shorter than a reference and its look-up are worth. */
const minCharacters = 40;

/** Creates a pool for one report. */
export function createTextPool() {
  const pool = new Map<string, { key: string; common: Parts; isUsed: boolean }>();
  let characters = 0;

  const keyOf = (common: Parts): string | null => {
    const text = JSON.stringify(common);
    if (text.length < minCharacters + emptyLength) return null;
    const found = pool.get(text);
    if (found !== undefined) {
      found.isUsed = true;
      return found.key;
    }
    if (pool.size >= maxTexts || characters + text.length > maxCharacters) return null;
    characters += text.length;
    pool.set(text, { key: uuidOf(text), common, isUsed: false });
    return null;
  };

  return {
    /** The result's own parts from the second result on that has the others in common with it. */
    split(item: ReportItem): SplitTexts {
      const { description, remediation, references, tags } = item;
      const at = commonFrom(item);
      const rest = description === null || at === null ? null : description.slice(at);
      const textKey = keyOf({ description: rest, remediation, references, tags });
      if (textKey === null) return { textKey, description, remediation, references, tags };
      const isAfterTitle = rest !== null && at === item.title.length && description?.startsWith(item.title);
      const own =
        rest === null ? description : isAfterTitle ? null : (description?.slice(0, at as number) ?? null);
      return { textKey, description: own, remediation: null, references: [], tags: [] };
    },

    /** Stores the texts that split results refer to. Outside of a transaction, so that no other import waits for it. */
    async store(connection: BulkConnection): Promise<void> {
      const used = [...pool.values()].filter(({ isUsed }) => isUsed);
      if (used.length === 0) return;
      const texts = used
        .map(({ key, common }) => ({ digest: key, ...common }))
        .sort((a, b) => (a.digest < b.digest ? -1 : 1));
      await connection.query(sql`
        INSERT INTO result_texts (digest, description, remediation, "references", tags)
        SELECT digest, description, remediation, nullif("references", '{}'), nullif(tags, '{}')
        FROM jsonb_to_recordset(${JSON.stringify(texts)}::jsonb)
          AS text(digest uuid, description text, remediation text, "references" text[], tags text[])
        ON CONFLICT (digest) DO UPDATE SET unused_at = NULL WHERE result_texts.unused_at IS NOT NULL`);
    },
  };
}

const emptyLength = JSON.stringify({ description: null, remediation: null, references: [], tags: [] }).length;

/** Where the part of a description begins that other results may have too: after the title, or after the first paragraph. */
function commonFrom({ title, description }: ReportItem): number | null {
  if (description === null) return null;
  if (description.startsWith(title)) return description.length > title.length ? title.length : null;
  const at = description.indexOf('\n\n');
  return at === -1 ? 0 : at;
}
