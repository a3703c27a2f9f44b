// Burp Suite's XML report of issues: each issue, at its URL, is a finding.
import type { ReportFormat, ReportSource } from '../../format.js';
import { addressesIn, textFromHtml } from '../../html.js';
import type { DraftItem, ItemLocation, ReportItem } from '../../item.js';
import { markIncomplete, type ReportNotes, skip } from '../../notes.js';
import { childOf, childrenOf, childText, type XmlElement } from '../../read/xml-element.js';
import { readXmlItems } from '../../read/xml-reader.js';
import { severityFromWord } from '../../severity.js';
import { lineOf, paragraphs } from '../../text.js';
import { cwesIn } from '../../vulnerability-ids.js';

export const burp: ReportFormat = {
  format: 'BURP_XML',
  detect: ({ xmlRoot, xmlAttributes, text }) =>
    xmlRoot === 'issues' && ('burpVersion' in xmlAttributes || text.includes('<serialNumber>')),
  read,
};

/** Declarations of elements and attributes, as Burp writes them; no entities, nothing from elsewhere. */
const doctype = /^issues\s*\[(?:\s|<!(?:ELEMENT|ATTLIST)\b[^<>&%]{0,2000}>)*\]$/;
const maxRequests = 5;
const maxMessage = 10_000;

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'Burp Suite';
  return readXmlItems(source, notes, (add) => ({
    roots: ['issues'],
    doctype,
    select: (path, attributes) => {
      if (path.length === 1) notes.facts.toolVersion = lineOf(attributes.burpVersion, 100);
      return path.length === 1 ? 'enter' : path[1] === 'issue' ? 'element' : 'skip';
    },
    onElement: (issue) => {
      if (childText(issue, 'severity')?.toLowerCase() === 'false positive') skip(notes, 'false positive');
      else add(draftOf(issue), issue.place);
    },
    onTruncated: (place) => markIncomplete(notes, 'The report ends too early.', place),
  }));
}

function draftOf(issue: XmlElement): DraftItem {
  const type = childText(issue, 'type');
  const name = childText(issue, 'name');
  const confidence = childText(issue, 'confidence')?.toLowerCase();
  const classes = childText(issue, 'vulnerabilityClassifications');
  return {
    title: name ?? type ?? '',
    severity: severityFromWord(childText(issue, 'severity')) ?? 0,
    description: paragraphs(
      ...['issueDetail', 'issueBackground'].map((part) => textFromHtml(childText(issue, part))),
    ),
    ruleId: type ?? name,
    cweIds: cwesIn((classes ?? '').split(/<\/li>|\n/)),
    location: locationOf(issue),
    evidence: paragraphs(...childrenOf(issue, 'requestresponse').slice(0, maxRequests).flatMap(messagesOf)),
    remediation: paragraphs(
      ...['remediationDetail', 'remediationBackground'].map((part) => textFromHtml(childText(issue, part))),
    ),
    references: addressesIn(`${childText(issue, 'references') ?? ''} ${classes ?? ''}`),
    tags: confidence === undefined ? [] : [`confidence:${confidence}`],
  };
}

function locationOf(issue: XmlElement): ItemLocation {
  const origin = childText(issue, 'host');
  const path = childText(issue, 'path');
  const place = childText(issue, 'location')?.slice(-2000) ?? '';
  // `/login [user parameter]`
  const parameter = /\[(.{1,500}?) (?:parameter|cookie|HTTP header|header|JSON parameter)\]$/.exec(
    place,
  )?.[1];
  const method = childrenOf(issue, 'requestresponse')[0];
  const url = origin === null ? undefined : `${origin.replace(/\/$/, '')}${path ?? ''}`;
  return {
    url,
    host: url !== undefined && URL.canParse(url) ? new URL(url).host : (origin ?? undefined),
    method: childOf(method, 'request')?.attributes.method,
    parameter,
  };
}

/** Requests and responses stand in base64 or as they are. */
function messagesOf(pair: XmlElement): (string | null)[] {
  return ['request', 'response'].map((name) => {
    const message = childOf(pair, name);
    if (message === undefined || message.text.trim() === '') return null;
    const isEncoded = message.attributes.base64 === 'true';
    const text = isEncoded
      ? Buffer.from(message.text.slice(0, maxMessage * 2), 'base64').toString()
      : message.text;
    return text.slice(0, maxMessage);
  });
}
