// An alert of ZAP as one finding: at its site, with the requests that show it as evidence.
import { addressesIn, textFromHtml } from '../../html.js';
import type { DraftItem, SeverityRank } from '../../item.js';
import { firstString, numberOf, paragraphs, textFrom, wordOf } from '../../text.js';

/** The site that alerts belong to. */
export interface ZapSite {
  name: string | null;
  host: string | null;
  port: string | null;
}

/** The fields of an alert beside its instances, by ZAP's names. */
export type ZapFields = Readonly<Record<string, unknown>>;

/** An alert while its instances come. */
export interface ZapAlert {
  fields: Record<string, unknown>;
  instances: number;
  evidence: string;
}

/** Fields of an alert that its finding is made of. */
export const alertFields: ReadonlySet<string> = new Set([
  'pluginid',
  'pluginId',
  'alertRef',
  'alert',
  'name',
  'riskcode',
  'riskdesc',
  'confidence',
  'desc',
  'otherinfo',
  'solution',
  'reference',
  'cweid',
  'wascid',
]);

const maxEvidence = 60_000;

/** Begins an alert. */
export function beginAlert(): ZapAlert {
  return { fields: {}, instances: 0, evidence: '' };
}

/** Adds an instance: where the alert was seen, and by what. */
export function addInstance(alert: ZapAlert, instance: ZapFields): void {
  alert.instances += 1;
  if (alert.evidence.length > maxEvidence) return;
  const parameter = firstString(instance.param);
  const lines = [
    `${firstString(instance.method) ?? 'GET'} ${firstString(instance.uri) ?? ''}`.slice(0, 4000),
    labelled('Parameter', parameter),
    labelled('Attack', instance.attack),
    labelled('Evidence', instance.evidence),
    labelled('Other', instance.otherinfo),
    ...[instance['request-header'], instance.requestheader].map((text) => labelled('Request', text)),
    ...[instance['response-header'], instance.responseheader].map((text) => labelled('Response', text)),
  ];
  alert.evidence += `${lines.filter((line) => line !== null).join('\n')}\n\n`;
}

function labelled(label: string, value: unknown): string | null {
  const text = textFrom(value)?.trim() ?? '';
  return text === '' ? null : `${label}: ${text.slice(0, 4000)}`;
}

/** Why an alert is no finding: ZAP marks a false positive with confidence 0. */
export function reasonToSkipAlert({ fields }: ZapAlert): string | null {
  return wordOf(fields.confidence) === '0' ? 'false positive' : null;
}

/** The draft of a whole alert. */
export function alertDraft({ fields, evidence, instances }: ZapAlert, site: ZapSite): DraftItem {
  const plugin = textFrom(fields.pluginid) ?? firstString(fields.pluginId);
  const reference = textFrom(fields.alertRef);
  const description = textFromHtml(textFrom(fields.desc));
  return {
    title: firstString(fields.name, fields.alert) ?? '',
    severity: severityOf(fields),
    description: paragraphs(description, textFromHtml(textFrom(fields.otherinfo))),
    ruleId: reference ?? plugin,
    cweIds: [numberOf(fields.cweid) ?? 0],
    location: {
      url: site.name ?? undefined,
      host: site.host === null ? undefined : [site.host, site.port].filter(Boolean).join(':'),
    },
    evidence: paragraphs(instances === 0 ? null : `Instances: ${instances}`, evidence),
    remediation: textFromHtml(textFrom(fields.solution)),
    references: addressesIn(textFromHtml(textFrom(fields.reference))),
    tags: [wascOf(fields.wascid), confidenceOf(fields.confidence)],
  };
}

/** riskcode 0 to 3, which are informational to high; riskdesc in words where it is missing. */
function severityOf({ riskcode, riskdesc }: ZapFields): SeverityRank {
  const code =
    numberOf(riskcode) ??
    ['info', 'low', 'medium', 'high'].findIndex((word) => wordOf(riskdesc).toLowerCase().startsWith(word));
  return ([0, 1, 2, 3] as const).find((rank) => rank === code) ?? 0;
}

function wascOf(id: unknown): string | null {
  const number = numberOf(id) ?? 0;
  return number > 0 ? `WASC-${number}` : null;
}

function confidenceOf(confidence: unknown): string | null {
  const word = ['', 'low', 'medium', 'high', 'confirmed'][numberOf(confidence) ?? 0];
  return word === undefined || word === '' ? null : `confidence:${word}`;
}
