// ZAP's XML report, traditional or with requests and responses: each alert of a site is a finding.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { ReportItem } from '../../item.js';
import { markIncomplete, type ReportNotes, skip } from '../../notes.js';
import { readXmlItems } from '../../read/xml-reader.js';
import { lineOf } from '../../text.js';
import {
  addInstance,
  alertDraft,
  alertFields,
  beginAlert,
  reasonToSkipAlert,
  type ZapSite,
} from './zap-alert.js';

export const zapXml: ReportFormat = {
  format: 'ZAP_XML',
  detect: ({ xmlRoot }) => xmlRoot === 'OWASPZAPReport',
  read,
};

// From the root: report, site, alerts, alertitem, then its fields, of which instances hold instances.
const containers = ['OWASPZAPReport', 'site', 'alerts', 'alertitem'];

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'ZAP';
  return readXmlItems(source, notes, (add) => {
    let site: ZapSite = { name: null, host: null, port: null };
    let alert = beginAlert();
    let alertPlace = '';
    let sites = 0;
    return {
      roots: ['OWASPZAPReport'],
      select: (path, attributes, place) => {
        const depth = path.length;
        const name = path[depth - 1] ?? '';
        if (depth === 1) notes.facts.toolVersion = lineOf(attributes.version, 100);
        if (depth <= 4 && name !== containers[depth - 1]) return 'skip';
        if (depth === 2) {
          sites += 1;
          const { name: siteName = null, host = null, port = null } = attributes;
          site = { name: siteName, host, port };
        }
        if (depth === 4) {
          alert = beginAlert();
          alertPlace = place;
        }
        if (depth <= 4 || (depth === 5 && name === 'instances')) return 'enter';
        return depth === 6 || alertFields.has(name) ? 'element' : 'skip';
      },
      onElement: ({ name, text, children }) => {
        if (name !== 'instance') alert.fields[name] = text.trim();
        else addInstance(alert, Object.fromEntries(children.map((child) => [child.name, child.text.trim()])));
      },
      onEnd: (path) => {
        if (path.length === 1 && sites === 0)
          markIncomplete(notes, 'The report has no site: nothing was scanned.', '1:1');
        if (path.length !== 4 || path[3] !== 'alertitem') return;
        const reason = reasonToSkipAlert(alert);
        if (reason === null) add(alertDraft(alert, site), alertPlace);
        else skip(notes, reason);
      },
    };
  });
}
