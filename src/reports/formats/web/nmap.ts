// Nmap's XML: each open port is an INFO finding, each vulnerability that a script of it reports one of its own.
import type { ReportFormat, ReportSource } from '../../format.js';
import type { DraftItem, ReportItem } from '../../item.js';
import { markIncomplete, type ReportNotes, skip } from '../../notes.js';
import { childOf, childrenOf, type XmlElement } from '../../read/xml-element.js';
import { type AddXmlItem, readXmlItems } from '../../read/xml-reader.js';
import { lineOf, paragraphs } from '../../text.js';
import { scriptDrafts } from './nmap-scripts.js';

export const nmap: ReportFormat = {
  format: 'NMAP_XML',
  detect: ({ xmlRoot }) => xmlRoot === 'nmaprun',
  read,
};

interface Host {
  name: string | null;
  address: string | null;
}

function read(source: ReportSource, notes: ReportNotes): AsyncIterable<ReportItem[]> {
  notes.facts.tool = 'Nmap';
  return readXmlItems(source, notes, (add) => {
    let host: Host = { name: null, address: null };
    let isFinished = false;
    return {
      roots: ['nmaprun'],
      doctype: /^nmaprun$/,
      select: (path, attributes) => {
        if (path.length === 1) notes.facts.toolVersion = lineOf(attributes.version, 100);
        if (path.length === 2 && path[1] === 'host') host = { name: null, address: null };
        return selectIn(path);
      },
      onElement: (element) => {
        if (element.name === 'runstats') {
          isFinished = true;
          noteEnd(element, notes);
        } else if (element.name === 'address' && element.attributes.addrtype !== 'mac')
          host.address ??= element.attributes.addr ?? null;
        else if (element.name === 'hostname') host.name ??= hostnameOf(element);
        else if (element.name === 'port') takePort(element, host, notes, add);
        else if (element.name === 'script')
          for (const draft of scriptDrafts(element, host.name ?? host.address)) add(draft, element.place);
      },
      onEnd: (path) => {
        if (path.length === 1 && !isFinished) markIncomplete(notes, 'Nmap did not finish.', null);
      },
      onTruncated: (place) => markIncomplete(notes, 'Nmap did not finish: its report ends too early.', place),
    };
  });
}

const wanted: Record<string, 'enter' | 'element'> = {
  nmaprun: 'enter',
  'nmaprun/host': 'enter',
  'nmaprun/host/address': 'element',
  'nmaprun/host/hostnames': 'enter',
  'nmaprun/host/hostnames/hostname': 'element',
  'nmaprun/host/ports': 'enter',
  'nmaprun/host/ports/port': 'element',
  'nmaprun/host/hostscript': 'enter',
  'nmaprun/host/hostscript/script': 'element',
  'nmaprun/runstats': 'element',
};

function selectIn(path: readonly string[]): 'enter' | 'element' | 'skip' {
  return wanted[path.join('/')] ?? 'skip';
}

/** The name that was asked for; a PTR record names the address in other words. */
function hostnameOf({ attributes: { name, type } }: XmlElement): string | null {
  return type === 'user' ? (name ?? null) : null;
}

/** A scan of nothing is not whole: no host was found, or none answered. */
function noteEnd(stats: XmlElement, notes: ReportNotes): void {
  const finished = childOf(stats, 'finished')?.attributes;
  const hosts = childOf(stats, 'hosts')?.attributes;
  if (finished?.exit === 'error')
    markIncomplete(notes, `Nmap failed: ${finished.errormsg ?? 'unknown error'}`, stats.place);
  if (hosts?.total === '0') markIncomplete(notes, 'Nmap scanned no host: no name resolved.', stats.place);
  else if (hosts?.up === '0') markIncomplete(notes, 'No host answered Nmap.', stats.place);
}

function takePort(port: XmlElement, host: Host, notes: ReportNotes, add: AddXmlItem): void {
  const state = childOf(port, 'state')?.attributes.state ?? 'unknown';
  if (state !== 'open') {
    skip(notes, `port ${state.slice(0, 40)}`);
    return;
  }
  const { protocol = 'tcp', portid = '' } = port.attributes;
  const address = host.name ?? host.address ?? '';
  const place = `${address.includes(':') ? `[${address}]` : address}:${portid}`;
  const scripts = childrenOf(port, 'script').map((script) => ({
    script,
    drafts: scriptDrafts(script, place),
  }));
  const silent = scripts.filter(({ drafts }) => drafts.length === 0).map(({ script }) => script);
  add(portDraft(port, silent, place, `${protocol}/${portid}`), port.place);
  for (const { script, drafts } of scripts) for (const draft of drafts) add(draft, script.place);
}

function portDraft(port: XmlElement, scripts: readonly XmlElement[], host: string, label: string): DraftItem {
  const service = childOf(port, 'service');
  const { name, product, version, extrainfo, tunnel } = service?.attributes ?? {};
  const software = [product, version].filter(Boolean).join(' ');
  const shown = [tunnel, name].filter(Boolean).join('/');
  return {
    title: `Open port ${label}${shown === '' ? '' : ` (${shown})`}`,
    severity: 0,
    description: paragraphs(
      software === '' ? null : `${software}${extrainfo === undefined ? '' : ` (${extrainfo})`}`,
    ),
    ruleId: `open-port/${label}`,
    location: { host, component: software === '' ? undefined : software },
    evidence: paragraphs(
      ...scripts.map(({ attributes: { id, output } }) => `${id}: ${output?.trim() ?? ''}`),
    ),
    references: [],
    tags: [name, ...childrenOf(service, 'cpe').map(({ text }) => text.trim())],
  };
}
