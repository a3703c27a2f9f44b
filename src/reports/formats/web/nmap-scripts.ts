// Vulnerabilities that scripts of Nmap report: those of its vulns library, and the lists of the script vulners.
import type { DraftItem, SeverityRank } from '../../item.js';
import { childrenOf, type XmlElement } from '../../read/xml-element.js';
import { severityFromScore, severityFromWord } from '../../severity.js';
import { idsIn } from '../../vulnerability-ids.js';

/** The findings of one script at a host or port. */
export function scriptDrafts(script: XmlElement, host: string | null): DraftItem[] {
  const id = script.attributes.id ?? 'script';
  const drafts = id === 'vulners' ? vulnersDrafts(script) : vulnsDrafts(script, id);
  return drafts.map((draft) => ({ ...draft, location: { host: host ?? undefined, ...draft.location } }));
}

/** Tables with `state` VULNERABLE, LIKELY VULNERABLE or VULNERABLE (Exploitable). */
function vulnsDrafts(script: XmlElement, scriptId: string): DraftItem[] {
  return childrenOf(script, 'table').flatMap((table) => {
    const state = textOfKey(table, 'state')?.toUpperCase() ?? '';
    if (!/^(?:LIKELY )?VULNERABLE/.test(state)) return [];
    const ids = idsIn([table.attributes.key ?? '', ...listOf(table, 'ids')]);
    const output = script.attributes.output ?? '';
    const risk = severityFromWord(/Risk factor: (\w{2,20})/.exec(output)?.[1]);
    return [
      {
        title: textOfKey(table, 'title') ?? `${scriptId}: ${table.attributes.key ?? 'vulnerable'}`,
        severity: risk ?? (state.startsWith('LIKELY') ? 2 : 3),
        description: listOf(table, 'description').join('\n'),
        ruleId: scriptId,
        vulnerabilityIds: ids,
        evidence: output.trim(),
        references: listOf(table, 'refs'),
        tags: [state.toLowerCase()],
      },
    ];
  });
}

/** Tables by CPE, each with one table for an id; exploits of other schemes are left to their ids. */
function vulnersDrafts(script: XmlElement): DraftItem[] {
  return childrenOf(script, 'table').flatMap((software) =>
    childrenOf(software, 'table').flatMap((entry) => {
      const [id] = idsIn([textOfKey(entry, 'id') ?? '']);
      if (id === undefined || textOfKey(entry, 'type') !== 'cve') return [];
      const score = Number(textOfKey(entry, 'cvss') ?? Number.NaN);
      const severity: SeverityRank = Number.isFinite(score) ? severityFromScore(score) : 2;
      const cpe = software.attributes.key ?? '';
      return [
        {
          title: `${id} in ${cpe}`,
          severity,
          ruleId: id,
          vulnerabilityIds: [id],
          cvssScore: Number.isFinite(score) ? score : null,
          location: { component: cpe },
          references: [`https://vulners.com/cve/${id}`],
          tags: textOfKey(entry, 'is_exploit') === 'true' ? ['exploit'] : [],
        },
      ];
    }),
  );
}

function textOfKey(table: XmlElement, key: string): string | null {
  return (
    childrenOf(table, 'elem')
      .find(({ attributes }) => attributes.key === key)
      ?.text.trim() || null
  );
}

function listOf(table: XmlElement, key: string): string[] {
  const list = childrenOf(table, 'table').find(({ attributes }) => attributes.key === key);
  return childrenOf(list, 'elem').map(({ text }) => text.trim());
}
