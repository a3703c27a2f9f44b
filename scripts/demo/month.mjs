// A month of work made up from a seed, the same for the same seed and day: users, executions, events, results as rows.
import { createHash } from 'node:crypto';
import { failures, firstNames, lastNames, projects, tools } from './catalogue.mjs';

const severities = ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];
const counters = ['infoCount', 'lowCount', 'mediumCount', 'highCount', 'criticalCount'];
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const days = 30;
const userCount = 50;
const maxEventResults = 100;

/** Numbers that look random and are the same for the same seed (mulberry32). */
function createChance(seed) {
  let state = createHash('sha256').update(seed).digest().readUInt32LE();
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least, most) => least + next() * (most - least);
  return {
    next,
    between,
    whole: (least, most) => Math.floor(between(least, most + 1)),
    pick: (list) => list[Math.floor(next() * list.length)],
    /** A UUIDv7 of this moment. */
    id(ms) {
      const time = Math.floor(ms).toString(16).padStart(12, '0');
      const hex = Array.from({ length: 4 }, () =>
        Math.floor(next() * 2 ** 32)
          .toString(16)
          .padStart(8, '0'),
      ).join('');
      const variant = '89ab'[Math.floor(next() * 4)];
      return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(0, 3)}-${variant}${hex.slice(3, 6)}-${hex.slice(6, 18)}`;
    },
  };
}

/**
 * Makes the month that ends at `until`.
 * @param {{ seed: string, until: number, passwordHash: string, fingerprintOf: Function, scoreOf: Function }} options
 */
export function makeMonth({ seed, until, passwordHash, fingerprintOf, scoreOf }) {
  const chance = createChance(seed);
  const users = makeUsers(chance, until, passwordHash);
  const analysts = users.filter(({ role, status }) => role === 'ANALYST' && status === 'ACTIVE');
  const pools = new Map();
  const poolOf = (project, tool) => {
    const key = `${project.name} ${tool.tool}`;
    if (!pools.has(key)) pools.set(key, makePool(chance, project, tool));
    return pools.get(key);
  };
  const rows = { users, executions: [], events: [], results: [] };
  for (const plan of makePlans(chance, until)) {
    const known = poolOf(plan.project, plan.tool).filter(({ from, to }) => plan.day >= from && plan.day < to);
    addRun(rows, chance, plan, { known, creator: chance.pick(analysts), until, fingerprintOf, scoreOf });
  }
  return rows;
}

function makeUsers(chance, until, passwordHash) {
  return Array.from({ length: userCount }, (_, index) => {
    const first = firstNames[index % firstNames.length];
    const last = lastNames[(index * 7 + Math.floor(index / firstNames.length)) % lastNames.length];
    const createdAt = until - days * dayMs - chance.between(1, 300) * dayMs;
    const role = index < 2 ? 'ADMIN' : index < 24 ? 'ANALYST' : 'VIEWER';
    const lastLoginAt = chance.next() < 0.85 ? new Date(until - chance.between(0.01, 20) * dayMs) : null;
    return {
      id: chance.id(createdAt),
      email: `${first}.${last}@demo.test`.toLowerCase(),
      ...{ name: `${first} ${last}`, role, passwordHash, lastLoginAt },
      status: index % 17 === 16 ? 'DEACTIVATED' : 'ACTIVE',
      createdAt: new Date(createdAt),
      updatedAt: lastLoginAt ?? new Date(createdAt),
    };
  });
}

/** What a tool can find in a project, each from the day it comes in to the day it is mended. */
function makePool(chance, project, tool) {
  const wanted = Math.max(2, Math.round(tool.findings * project.size * chance.between(0.8, 1.4)));
  return Array.from({ length: wanted }, () => {
    const rule = chance.pick(tool.rules);
    const { severity, ruleId, title, cweIds, component } = rule;
    const { cveIds = [], cvssVector = null, references = [], remediation = null } = rule;
    const from = chance.next() < 0.7 ? 0 : chance.whole(1, days);
    // The worst is mended first.
    const patience = { CRITICAL: 6, HIGH: 14, MEDIUM: 40, LOW: 120, INFO: 400 }[severity];
    return {
      ...{ severity, ruleId, title, cweIds, cveIds, cvssVector, references, remediation, from },
      to: from + 1 + patience * chance.between(0.3, 1.6),
      description: `${title}. Found by ${tool.tool} in ${project.name}.`,
      location: (rule.place ?? tool.place)(project, chance.pick, { component }),
      tags: [project.team, project.name],
    };
  });
}

/** When what runs where, in order: more on workdays and in office hours, nightly runs for the rest. */
function makePlans(chance, until) {
  const startOf = (day) => new Date(until).setUTCHours(0, 0, 0, 0) - (days - 1 - day) * dayMs;
  const plans = tools.flatMap((tool) =>
    Array.from({ length: tool.runs }, () => {
      const fitting = projects.filter(({ language }) => tool.languages.includes(language));
      let day = chance.whole(0, days - 1);
      if ([0, 6].includes(new Date(startOf(day)).getUTCDay()) && chance.next() < 0.7)
        day = Math.max(0, day - 2);
      const hour = chance.next() < 0.3 ? chance.between(1, 3) : chance.between(7, 18);
      const createdAt = startOf(day) + hour * 60 * minuteMs;
      return { tool, project: chance.pick(fitting), day, createdAt: Math.floor(createdAt) };
    }),
  );
  return plans
    .filter(({ createdAt }) => createdAt < until - minuteMs)
    .sort((a, b) => a.createdAt - b.createdAt);
}

function endOf(chance, { createdAt }, until) {
  if (createdAt > until - 90 * minuteMs) return chance.next() < 0.5 ? 'QUEUED' : 'RUNNING';
  const dice = chance.next();
  if (dice < 0.9) return 'COMPLETED';
  if (dice < 0.95) return 'FAILED';
  return dice < 0.98 ? 'CANCELLED' : 'INTERRUPTED';
}

/** One execution with its log and its results. */
function addRun(rows, chance, plan, { known, creator, until, fingerprintOf, scoreOf }) {
  const { tool, project, createdAt } = plan;
  const status = endOf(chance, plan, until);
  const branch = chance.next() < 0.7 ? 'main' : `feature/${chance.whole(100, 999)}`;
  const target =
    tool.kind === 'DAST'
      ? `https://${project.name}.demo.test/`
      : tool.kind === 'CONTAINER'
        ? `registry.demo.test/${project.name}:${branch.replace('/', '-')}`
        : `https://git.demo.test/${project.name}.git`;
  const execution = {
    ...{
      id: chance.id(createdAt),
      name: `${tool.tool}: ${project.name} (${branch})`,
      target,
      kind: tool.kind,
    },
    ...{
      status: 'QUEUED',
      progress: 0,
      phase: null,
      parameters: { profile: branch === 'main' ? 'full' : 'quick' },
    },
    ...{ tool: tool.tool, toolVersion: tool.toolVersion, branch },
    commitSha: createHash('sha1').update(`${project.name} ${plan.day} ${branch}`).digest('hex'),
    ...{ errorMessage: null, infoCount: 0, lowCount: 0, mediumCount: 0, highCount: 0, criticalCount: 0 },
    ...{ createdById: creator.id, runner: null, lastEventNumber: 0 },
    ...{ createdAt: new Date(createdAt), startedAt: null, finishedAt: null },
  };
  rows.executions.push(execution);
  let at = createdAt;
  const tell = (type, minutes, changes = {}, resultIds = []) => {
    at = Math.min(at + Math.max(1, minutes * minuteMs), until - 1);
    Object.assign(execution, changes, { lastEventNumber: execution.lastEventNumber + 1 });
    for (const name of ['startedAt', 'finishedAt'])
      if (execution[name] === 'now') execution[name] = new Date(at);
    rows.events.push({
      ...{
        id: chance.id(at),
        executionId: execution.id,
        number: execution.lastEventNumber,
        type,
        at: new Date(at),
      },
      ...{ snapshot: snapshotOf(execution), resultIds },
    });
  };
  tell('CREATED', 0);
  if (status === 'QUEUED') return;
  if (status === 'CANCELLED' && chance.next() < 0.5)
    return tell('CANCELLED', chance.between(1, 30), { status, finishedAt: 'now' });
  tell('STARTED', chance.between(0.1, 4), {
    status: 'RUNNING',
    startedAt: 'now',
    runner: `runner-${chance.whole(1, 6)}`,
  });
  const isWhole = status === 'COMPLETED';
  const seen = new Set();
  const share = isWhole ? 1 : chance.between(0.1, 0.8);
  const found = known.slice(0, Math.ceil(known.length * share));
  tool.phases.forEach((phase, index) => {
    const progress = Math.round(((index + 1) / (tool.phases.length + 1)) * 100 * share);
    tell('PROGRESS', chance.between(0.3, 5), { progress, phase });
    const part = found.slice(
      Math.floor((found.length * index) / tool.phases.length),
      Math.floor((found.length * (index + 1)) / tool.phases.length),
    );
    if (part.length > 0)
      addResults(rows, chance, execution, part, { seen, at: at + 500, tell, fingerprintOf, scoreOf });
  });
  const last = { status, finishedAt: 'now' };
  if (isWhole) tell('COMPLETED', 0.2, { ...last, progress: 100 });
  if (status === 'FAILED') tell('FAILED', 0.2, { ...last, errorMessage: chance.pick(failures) });
  if (status === 'INTERRUPTED') tell('INTERRUPTED', 1, last);
  if (status !== 'CANCELLED') return;
  tell('CANCEL_REQUESTED', 0.5, { status: 'CANCEL_REQUESTED' });
  tell('CANCELLED', 0.3, last);
}

function addResults(rows, chance, execution, part, { seen, at, tell, fingerprintOf, scoreOf }) {
  const ids = [];
  const counts = Object.fromEntries(counters.map((name) => [name, execution[name]]));
  for (const { from: _from, to: _to, ...finding } of part) {
    const fingerprint = fingerprintOf(execution.tool, finding);
    if (seen.has(fingerprint)) continue;
    seen.add(fingerprint);
    const severity = severities.indexOf(finding.severity);
    const id = chance.id(at);
    ids.push(id);
    counts[counters[severity]] += 1;
    rows.results.push({
      ...{ ...finding, id, executionId: execution.id, severity, fingerprint, evidence: null },
      ...{
        cvssScore: finding.cvssVector === null ? null : scoreOf(finding.cvssVector),
        createdAt: new Date(at),
      },
    });
  }
  if (ids.length > 0) tell('RESULTS_ADDED', 500 / minuteMs, counts, ids.slice(0, maxEventResults));
}

/** What an event remembers, in the form in which the database writes it. */
function snapshotOf(execution) {
  const { status, progress, phase, errorMessage, startedAt, finishedAt } = execution;
  const moment = (date) => date?.toISOString().replace('Z', '+00:00') ?? null;
  return {
    ...{
      status,
      progress,
      phase,
      errorMessage,
      startedAt: moment(startedAt),
      finishedAt: moment(finishedAt),
    },
    ...Object.fromEntries(counters.map((name) => [name, execution[name]])),
  };
}
