// Trivy's JSON (schema 2, the list of versions before, and Kubernetes): vulnerabilities, failed checks and secrets are findings.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { DraftItem, ReportItem } from '../../item.js';
import { markIncomplete, type ReportNotes, skip } from '../../notes.js';
import type { JsonKind, JsonPath, Selection } from '../../read/json-handler.js';
import { pointerOf } from '../../read/pointer.js';
import { type AddItem, readJsonItems } from '../../read/read-json.js';
import { reportError } from '../../report-error.js';
import { firstString, lineOf, objectOf, wordOf } from '../../text.js';
import { misconfigurationOf, secretOf, type TrivyTarget, vulnerabilityOf } from './trivy-items.js';

export const trivy: ReportFormat = {
  format: 'TRIVY',
  detect: ({ keys, isArray }) =>
    isArray
      ? keys.has('Target') && (keys.has('Vulnerabilities') || keys.has('Type'))
      : keys.has('ClusterName') || (keys.has('SchemaVersion') && keys.has('ArtifactName')),
  read,
};

const lists = ['Vulnerabilities', 'Misconfigurations', 'Secrets', 'Licenses', 'ExperimentalModifiedFindings'];
const groupLists = new Set(['Vulnerabilities', 'Misconfigurations', 'Resources', 'Findings']);
const rootMarks = new Set(['SchemaVersion', 'ArtifactName', 'Results', 'ClusterName']);
const maxWaiting = 5000;

interface State {
  target: TrivyTarget;
  /** Entries that stand ahead of the name of their target. */
  waiting: { list: string; entry: Record<string, unknown>; path: (string | number)[] }[];
}

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'Trivy';
  return readJsonItems(source, notes, (add) => {
    const state: State = { target: {}, waiting: [] };
    let isTrivy = false;
    return {
      select: (path, kind) => {
        isTrivy ||= rootMarks.has(path[0] as string) || (path.length === 0 && kind === 'array');
        return selectIn(path, kind);
      },
      onValue: (value, path) => take(state, value, path, notes, add),
      onEnd: (path) => {
        const place = partOf(path);
        if (place.kind === 'target') {
          if (state.target.name === undefined)
            throw reportError('has a target without a name', { pointer: pointerOf(path) });
          state.target = { resource: state.target.resource };
        } else if (place.kind === 'group') state.target = {};
        if (path.length === 0 && !isTrivy) throw reportError('is no report of Trivy');
      },
    };
  });
}

type Part =
  | { kind: 'root' | 'list' | 'group' | 'target' | 'other' }
  | { kind: 'entry'; list: string }
  | { kind: 'key'; of: 'root' | 'group' | 'target'; key: string };

/** The kind of value at a path, regardless of where the targets are: /Results/0, /Resources/0/Results/0 or /0. */
function partOf(path: JsonPath): Part {
  let rest = path;
  if (rest.length === 0) return { kind: 'root' };
  let of: 'root' | 'group' = 'root';
  // In a cluster, and there only, lists of resources stand at the root.
  if (groupLists.has(rest[0] as string)) {
    if (rest.length < 3) return { kind: rest.length === 1 ? 'list' : 'group' };
    rest = rest.slice(2);
    of = 'group';
  }
  if (rest[0] === 'Results') {
    if (rest.length === 1) return { kind: 'list' };
    rest = rest.slice(1);
  }
  if (typeof rest[0] === 'string')
    return { kind: 'key', of, key: rest.length === 1 ? rest[0] : rest.join('.') };
  if (rest.length === 1) return { kind: 'target' };
  const list = wordOf(rest[1]);
  if (!lists.includes(list)) return { kind: 'key', of: 'target', key: rest.slice(1).join('.') };
  if (rest.length === 2) return { kind: 'list' };
  return rest.length === 3 ? { kind: 'entry', list } : { kind: 'other' };
}

const wantedKeys = {
  root: ['SchemaVersion', 'ArtifactName', 'Trivy.Version'],
  group: ['Namespace', 'Kind', 'Name', 'Error'],
  target: ['Target', 'Class', 'Type'],
};

function selectIn(path: JsonPath, kind: JsonKind): Selection {
  const part = partOf(path);
  if (part.kind === 'key') {
    if (part.of === 'root' && part.key === 'Trivy' && kind === 'object') return 'enter';
    return wantedKeys[part.of].includes(part.key) ? 'value' : 'skip';
  }
  return part.kind === 'entry' || kind === 'scalar' ? 'value' : 'enter';
}

function take(state: State, value: unknown, path: JsonPath, notes: ReportNotes, add: AddItem): void {
  const part = partOf(path);
  const { target } = state;
  if (part.kind === 'entry') {
    const entry = objectOf(value) ?? {};
    if (target.name !== undefined) addEntry(part.list, entry, path, target, notes, add);
    else {
      if (state.waiting.length >= maxWaiting)
        throw reportError('names a target behind its results', { pointer: pointerOf(path) });
      state.waiting.push({ list: part.list, entry, path: [...path] });
    }
  } else if (part.kind !== 'key') {
    // Lists of nothing are null; versions before 0.20 wrote null for a clean run.
    if (value !== null) throw reportError('is no report of Trivy', { pointer: pointerOf(path) });
  } else if (part.key === 'Trivy.Version') notes.facts.toolVersion = lineOf(value, 100);
  else if (part.of === 'target') setTarget(target, part.key, value);
  else if (part.of === 'group') setResource(target, part.key, value, notes, pointerOf(path));
  if (part.kind === 'key' && part.key === 'Target') flush(state, notes, add);
}

function setTarget(target: TrivyTarget, key: string, value: unknown): void {
  const text = firstString(value) ?? '';
  if (key === 'Target') target.name = text;
  else if (key === 'Class') target.class = text;
  else if (key === 'Type') target.type = text;
}

function setResource(
  target: TrivyTarget,
  key: string,
  value: unknown,
  notes: ReportNotes,
  pointer: string,
): void {
  const text = firstString(value);
  if (text === null) return;
  if (key === 'Error') markIncomplete(notes, `Trivy could not scan a resource: ${text}`, pointer);
  else target.resource = target.resource === undefined ? text : `${target.resource}/${text}`;
}

function flush(state: State, notes: ReportNotes, add: AddItem): void {
  const { waiting, target } = state;
  state.waiting = [];
  for (const { list, entry, path } of waiting) addEntry(list, entry, path, target, notes, add);
}

function addEntry(
  list: string,
  entry: Record<string, unknown>,
  path: JsonPath,
  target: TrivyTarget,
  notes: ReportNotes,
  add: AddItem,
): void {
  const draft: DraftItem | string = draftOf(list, entry, target);
  if (typeof draft === 'string') skip(notes, draft);
  else add(draft, path);
}

/** A draft, or the reason why an entry is no finding. */
function draftOf(list: string, entry: Record<string, unknown>, target: TrivyTarget): DraftItem | string {
  if (list === 'Vulnerabilities') return vulnerabilityOf(entry, target);
  if (list === 'Secrets') return secretOf(entry, target);
  if (list === 'Licenses') return 'license';
  if (list === 'ExperimentalModifiedFindings') return 'suppressed';
  const status = firstString(entry.Status) ?? 'FAIL';
  return status === 'FAIL' ? misconfigurationOf(entry, target) : `status ${status.slice(0, 40)}`;
}
