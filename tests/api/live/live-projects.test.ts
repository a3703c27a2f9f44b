// A project that one sees no longer: open streams of it end or skip it within a moment, on every instance and over both transports.
import { describe, expect, it } from '@jest/globals';
import { hasRedis, type TestServer } from '../../kit/harness.js';
import {
  changes,
  endOf,
  type Following,
  follow,
  report,
  subscribe,
  transports,
  until,
  useTwo,
} from '../../kit/live.js';
import { createProject, setMember, updateProject } from '../../kit/projects.js';
import { createPerson, type Person, startExecution } from '../../kit/seed.js';

// Without a Redis the check of once a second is what reaches the other instance.
const [home, other] = await useTwo(hasRedis ? process.env.TEST_REDIS_URL : undefined);
const adminToken = await home.signIn();
const writer = await createPerson(home, adminToken, 'ANALYST');

interface Case {
  name: string;
  visibility: 'INTERNAL' | 'PRIVATE';
  isMember: boolean;
  /** Takes the project from the person. */
  end: (key: string, person: Person) => Promise<void>;
}

const cases: Case[] = [
  {
    name: 'the end of a membership',
    visibility: 'PRIVATE',
    isMember: true,
    end: (key, { id }) => setMember(home, adminToken, key, id, null),
  },
  {
    name: 'a project that becomes private',
    visibility: 'INTERNAL',
    isMember: false,
    end: (key) => updateProject(home, adminToken, { key, visibility: 'PRIVATE' }),
  },
];

/** A project that the person sees, with a running execution of the writer. */
async function prepare({ visibility, isMember }: Case): Promise<[key: string, id: string, person: Person]> {
  const key = await createProject(home, adminToken, { visibility });
  const person = await createPerson(home, adminToken, 'VIEWER');
  await setMember(home, adminToken, key, writer.id, 'ANALYST');
  if (isMember) await setMember(home, adminToken, key, person.id, 'VIEWER');
  return [key, await startExecution(home, writer.token, { project: key }), person];
}

describe.each(transports)('by %s', (transport) => {
  it.each(cases)('$name ends the streams of its executions, and no others', async (test) => {
    const [key, id, person] = await prepare(test);
    const own = await startExecution(home, writer.token);
    const ending = [follow(transport, home, person.token, id), follow(transport, other, person.token, id)];
    const staying = [follow(transport, other, writer.token, id), follow(transport, other, person.token, own)];
    const all = [...ending, ...staying];
    await until(() => all.every(({ events }) => events.length === 2), 'the beginnings');
    await test.end(key, person);
    for (const stream of ending) {
      await endOf(stream);
      expect(stream.errors.map(({ code }) => code)).toEqual(['FORBIDDEN']);
    }
    await report(home, writer.token, id, 50);
    await report(home, writer.token, own, 50);
    await until(() => staying.every(({ events }) => events.length === 3), 'the report for the others');
    expect(ending.map(({ events }) => events.length)).toEqual([2, 2]);
    const again = follow(transport, home, person.token, id);
    await endOf(again);
    expect(again.errors.map(({ code }) => code)).toEqual(['NOT_FOUND']);
    for (const stream of all) stream.stop();
  });

  it.each(cases)('$name takes its executions out of the feed of all', async (test) => {
    const [key, id, person] = await prepare(test);
    const own = await startExecution(home, writer.token);
    const watch = async (server: TestServer): Promise<Following> => {
      const open = server.services.streams.size();
      const stream = subscribe(transport, server.url, person.token, { query: changes, variables: {} });
      await until(() => server.services.streams.size() > open, 'the stream');
      return stream;
    };
    const feeds = [await watch(home), await watch(other)];
    const phases = (executionId: string) =>
      feeds.map(({ events }) => events.filter(({ execution }) => execution.id === executionId).length);
    await report(home, writer.token, id, 10);
    await until(() => phases(id).every((count) => count === 1), 'the report while it is visible');
    // The check that ends these has the feeds of the same person know it, too.
    const ending = [follow(transport, home, person.token, id), follow(transport, other, person.token, id)];
    await until(() => ending.every(({ events }) => events.length === 3), 'the beginnings');
    await test.end(key, person);
    for (const stream of ending) await endOf(stream);
    await report(home, writer.token, id, 20);
    await report(home, writer.token, own, 20);
    await until(() => phases(own).every((count) => count === 1), 'the report of another project');
    expect(phases(id)).toEqual([1, 1]);
    for (const stream of feeds) stream.stop();
  });
});
