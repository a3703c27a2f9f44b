// Results in the words of addResults as JSON: a list, or an object with `results` and, if known, `tool` and `toolVersion`.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { ReportItem } from '../../item.js';
import { markIncomplete, type ReportNotes, warn } from '../../notes.js';
import { pointerOf } from '../../read/pointer.js';
import { readJsonItems } from '../../read/read-json.js';
import { reportError } from '../../report-error.js';
import { lineOf, objectOf } from '../../text.js';
import { genericDraft, locationFields, resultFields } from './generic-draft.js';

export const genericJson: ReportFormat = {
  format: 'GENERIC_JSON',
  detect: ({ keys, isArray }) =>
    isArray
      ? keys.has('title') && keys.has('severity')
      : keys.has('results.title') && keys.has('results.severity'),
  read,
};

const knownFields = new Set<string>(resultFields);
const knownLocationFields = new Set<string>(locationFields);

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  const unknown = new Set<string>();
  return readJsonItems(source, notes, (add) => {
    let hasResults = false;
    return {
      select: (path, kind) => {
        const [section] = path;
        hasResults ||= kind === 'array' && (path.length === 0 || section === 'results');
        if (path.length === 0) return kind === 'scalar' ? 'value' : 'enter';
        if (section === 'results') return path.length === 1 && kind === 'array' ? 'enter' : 'value';
        if (typeof section === 'number') return 'value';
        return section === 'tool' || section === 'toolVersion' || section === 'incomplete' ? 'value' : 'skip';
      },
      onValue: (value, path) => {
        const pointer = pointerOf(path);
        if (path[0] === 'tool') notes.facts.tool = lineOf(value, 200);
        else if (path[0] === 'toolVersion') notes.facts.toolVersion = lineOf(value, 100);
        else if (path[0] === 'incomplete') {
          if (value !== false && value !== null)
            markIncomplete(notes, lineOf(value, 300) ?? 'The run is incomplete.');
        } else {
          const fields = objectOf(value);
          if (fields === undefined || path.length === 0 || (path.length === 1 && path[0] === 'results'))
            throw reportError('has results that are no list of objects', { pointer });
          noteUnknown(fields, unknown, notes, pointer);
          add(
            genericDraft(fields, (field) => ({ pointer: `${pointer}/${field}` })),
            path,
          );
        }
      },
      onEnd: (path) => {
        if (path.length === 0 && !hasResults) throw reportError('has no results', { pointer: '/results' });
      },
    };
  });
}

function noteUnknown(
  fields: Record<string, unknown>,
  seen: Set<string>,
  notes: ReportNotes,
  pointer: string,
): void {
  const names = [
    ...Object.keys(fields).filter((key) => !knownFields.has(key)),
    ...Object.keys(objectOf(fields.location) ?? {}).flatMap((key) =>
      knownLocationFields.has(key) ? [] : `location.${key}`,
    ),
  ];
  for (const name of names) {
    if (seen.has(name) || seen.size >= 100) continue;
    seen.add(name);
    warn(notes, `ignored the unknown field ${name.slice(0, 100)}`, pointer);
  }
}
