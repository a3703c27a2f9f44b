// ZAP's JSON report, traditional or with requests and responses: each alert of a site is a finding.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { ReportItem } from '../../item.js';
import { markIncomplete, type ReportNotes, skip } from '../../notes.js';
import type { JsonKind, JsonPath, Selection } from '../../read/json-handler.js';
import { pointerOf } from '../../read/pointer.js';
import { readJsonItems } from '../../read/read-json.js';
import { reportError } from '../../report-error.js';
import { lineOf, objectOf, textFrom } from '../../text.js';
import {
  addInstance,
  alertDraft,
  alertFields,
  beginAlert,
  reasonToSkipAlert,
  type ZapSite,
} from './zap-alert.js';

export const zapJson: ReportFormat = {
  format: 'ZAP_JSON',
  detect: ({ keys, isArray }) =>
    !isArray &&
    !keys.has('vulnerabilities') &&
    (keys.has('site.alerts') || (keys.has('@version') && keys.has('site'))),
  read,
};

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'ZAP';
  return readJsonItems(source, notes, (add) => {
    let site: ZapSite = { name: null, host: null, port: null };
    let alert = beginAlert();
    let hasSites = false;
    return {
      select: (path, kind) => {
        hasSites ||= path[0] === 'site' && kind !== 'scalar';
        const selection = selectIn(path, kind);
        const { isSite, isAlert } = partOf(path);
        if (isSite && selection === 'enter') site = { name: null, host: null, port: null };
        if (isAlert && selection === 'enter') alert = beginAlert();
        return selection;
      },
      onValue: (value, path) => {
        if (path.length === 0) throw reportError('is no report of ZAP: it is no object');
        const keys = path.filter((part) => typeof part === 'string');
        const text = textFrom(value);
        if (keys[0] === '@version') notes.facts.toolVersion = lineOf(value, 100);
        else if (keys[1] === '@name') site.name = text;
        else if (keys[1] === '@host') site.host = text;
        else if (keys[1] === '@port') site.port = text;
        else if (keys[1] === 'alerts' && keys[2] === 'instances') addInstance(alert, objectOf(value) ?? {});
        else if (keys[1] === 'alerts' && keys[2] !== undefined) alert.fields[keys[2]] = value;
        else if (value !== null) throw reportError('is no report of ZAP', { pointer: pointerOf(path) });
      },
      onEnd: (path) => {
        if (path.length === 0 && !hasSites)
          markIncomplete(notes, 'The report has no site: nothing was scanned.', '/site');
        if (!partOf(path).isAlert) return;
        const reason = reasonToSkipAlert(alert);
        if (reason === null) add(alertDraft(alert, site), path);
        else skip(notes, reason);
      },
    };
  });
}

/** Sites are a list; versions before 2.8 wrote a single one as an object. */
function partOf(path: JsonPath): { isSite: boolean; isAlert: boolean } {
  const offset = typeof path[1] === 'number' ? 1 : 0;
  const isBelow = path[0] === 'site';
  return {
    isSite: isBelow && path.length === 1 + offset,
    isAlert: isBelow && path[1 + offset] === 'alerts' && path.length === 3 + offset,
  };
}

const siteKeys = new Set(['@name', '@host', '@port']);

function selectIn(path: JsonPath, kind: JsonKind): Selection {
  const keys = path.filter((part) => typeof part === 'string');
  const [section, key, field] = keys;
  if (section === undefined) return kind === 'object' ? 'enter' : 'value';
  if (section === '@version') return 'value';
  if (section !== 'site') return 'skip';
  if (key === undefined) return kind === 'scalar' ? 'value' : 'enter';
  if (key !== 'alerts') return siteKeys.has(key) ? 'value' : 'skip';
  if (field === undefined) return kind === 'scalar' ? 'value' : 'enter';
  if (field !== 'instances') return kind === 'scalar' && alertFields.has(field) ? 'value' : 'skip';
  return typeof path.at(-1) === 'string' && kind === 'array' ? 'enter' : 'value';
}
