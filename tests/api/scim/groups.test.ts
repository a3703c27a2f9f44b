// Groups over SCIM, as RFC 7644, Entra and Okta have them: members get at once what mappings give their groups.
import { describe, expect, it } from '@jest/globals';
import { createDirectory, urn } from '../../kit/scim/directory.js';
import { useServer } from '../../kit/use.js';

const server = await useServer();
const adminToken = await server.signIn();
const directory = await createDirectory(server, adminToken);
for (const input of [
  { provider: 'scim', group: 'Analysts', role: 'ANALYST' },
  { provider: 'scim', group: 'object-id-of-web', project: 'default', projectRole: 'ANALYST' },
]) {
  const mutation =
    'mutation($input: SetGroupMappingInput!) { setGroupMapping(input: $input) { groupMapping { id } } }';
  (await server.gql(mutation, { input }, adminToken)).expectData();
}

const roleOf = async (id: string) =>
  (await server.gql('query($id: ID!) { user(id: $id) { role } }', { id }, adminToken)).expectData().user.role;
const membershipsOf = async (id: string) =>
  server.sql('SELECT role::text, provider FROM project_members WHERE user_id = $1', [id.slice(4)]);
const idsOf = (members: { value: string }[] | undefined) => (members ?? []).map(({ value }) => value).sort();

async function group(displayName: string, more: object = {}) {
  const { status, body } = await directory.call('POST', '/Groups', {
    schemas: [urn.group],
    displayName,
    ...more,
  });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return body;
}

describe('a group', () => {
  it('is created with members, read, listed, renamed and deleted', async () => {
    const one = await directory.user({ displayName: 'One' });
    const made = await group('Team A', { externalId: 'ext-a', members: [{ value: one.id }] });
    expect(made).toMatchObject({
      ...{
        schemas: [urn.group],
        id: expect.stringMatching(/^grp_/),
        displayName: 'Team A',
        externalId: 'ext-a',
      },
      members: [{ value: one.id, display: 'One', type: 'User' }],
      meta: { resourceType: 'Group', version: 'W/"1"' },
    });
    expect((await directory.call('GET', `/Groups/${made.id}`)).body).toEqual(made);
    expect((await directory.call('GET', `/Users/${one.id}`)).body.groups).toEqual([
      { value: made.id, display: 'Team A' },
    ]);
    const filter = (text: string, more = '') =>
      directory.call('GET', `/Groups?filter=${encodeURIComponent(text)}${more}`);
    for (const text of [
      'displayName eq "team a"',
      'externalId eq "ext-a"',
      `id eq "${made.id}"`,
      `members eq "${one.id}"`,
      `members.value eq "${one.id}"`,
    ])
      expect([text, (await filter(text)).body.Resources[0]?.id]).toEqual([text, made.id]);
    expect((await filter('displayName eq "nobody"')).body).toMatchObject({ totalResults: 0, Resources: [] });
    const bare = await filter('displayName eq "Team A"', '&excludedAttributes=members');
    expect(bare.body.Resources[0].members).toBeUndefined();
    expect(
      (await directory.call('GET', `/Groups/${made.id}?excludedAttributes=members`)).body.members,
    ).toBeUndefined();
    const renamed = await directory.patch(`/Groups/${made.id}`, {
      op: 'Replace',
      path: 'displayName',
      value: 'Team B',
    });
    expect([renamed.status, renamed.body.displayName, renamed.body.meta.version]).toEqual([
      200,
      'Team B',
      'W/"2"',
    ]);
    const stale = await directory.call('DELETE', `/Groups/${made.id}`, undefined, { 'if-match': 'W/"1"' });
    expect(stale.status).toBe(412);
    expect((await directory.call('DELETE', `/Groups/${made.id}`)).status).toBe(204);
    expect((await directory.call('GET', `/Groups/${made.id}`)).status).toBe(404);
  });

  it('of a name that is taken, without a name or with unknown members is refused', async () => {
    await group('Unique');
    const refused = async (body: object) => {
      const { status, body: error } = await directory.call('POST', '/Groups', body);
      return `${status} ${error.scimType}`;
    };
    expect(await refused({ displayName: 'UNIQUE' })).toBe('409 uniqueness');
    expect(await refused({})).toBe('400 invalidValue');
    for (const value of ['usr_0192f0c1-7a44-7c3e-9d52-1f6f2c8b7a10', 'nonsense', 5])
      expect(await refused({ displayName: 'X', members: [{ value }] })).toBe('400 invalidValue');
    expect(
      (await directory.call('GET', `/Groups?filter=${encodeURIComponent('displayName eq "X"')}`)).body
        .totalResults,
    ).toBe(0);
  });

  it('takes and loses members as Entra and Okta send them', async () => {
    const [a, b, c] = [await directory.user(), await directory.user(), await directory.user()];
    const { id } = await group('Members');
    const path = `/Groups/${id}`;
    const membersAfter = async (...operations: object[]) => {
      const { status, body } = await directory.patch(path, ...operations);
      expect(status).toBe(200);
      return idsOf(body.members);
    };
    expect(
      await membersAfter({
        op: 'Add',
        path: 'members',
        value: [{ $ref: null, value: a.id }, { value: b.id }],
      }),
    ).toEqual([a.id, b.id].sort());
    expect(await membersAfter({ op: 'Add', path: 'members', value: [{ value: a.id }] })).toEqual(
      [a.id, b.id].sort(),
    );
    expect(
      await membersAfter({ op: 'Remove', path: 'members', value: [{ $ref: null, value: a.id }] }),
    ).toEqual([b.id]);
    expect(await membersAfter({ op: 'remove', path: `members[value eq "${b.id}"]` })).toEqual([]);
    expect(await membersAfter({ op: 'remove', path: `members[value eq "${b.id}"]` })).toEqual([]);
    // As Okta renames a group.
    expect(await membersAfter({ op: 'replace', value: { id, displayName: 'Members 1' } })).toEqual([]);
    expect(
      await membersAfter({ op: 'replace', value: { displayName: 'Members 2', members: [{ value: c.id }] } }),
    ).toEqual([c.id]);
    expect(
      await membersAfter({
        op: 'replace',
        path: `${urn.group}:members`,
        value: [{ value: a.id }, { value: b.id }],
      }),
    ).toEqual([a.id, b.id].sort());
    expect(await membersAfter({ op: 'remove', path: 'members' })).toEqual([]);
    const put = await directory.call('PUT', path, {
      schemas: [urn.group],
      displayName: 'Members 3',
      members: [{ value: b.id }],
    });
    expect([put.status, put.body.displayName, idsOf(put.body.members)]).toEqual([200, 'Members 3', [b.id]]);
    const odd = await directory.patch(path, { op: 'remove', path: 'members[display co "x"]' });
    expect([odd.status, odd.body.scimType]).toEqual([400, 'invalidFilter']);
    await directory.call('DELETE', `/Users/${b.id}`);
    expect(idsOf((await directory.call('GET', path)).body.members)).toEqual([]);
  });

  it('changed by requests at once loses no member', async () => {
    const users = await Promise.all(Array.from({ length: 6 }, () => directory.user()));
    const { id } = await group('At once');
    const answers = await Promise.all(
      users.map((user) =>
        directory.patch(`/Groups/${id}`, { op: 'add', path: 'members', value: [{ value: user.id }] }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(users.map(() => 200));
    expect(idsOf((await directory.call('GET', `/Groups/${id}`)).body.members)).toEqual(
      users.map((user) => user.id).sort(),
    );
  });
});

describe('what a group gives', () => {
  it('reaches a thousand members of one PATCH, and leaves them by another', async () => {
    const ids = (
      await server.sql<{ id: string }>(`
        WITH made AS (
          INSERT INTO users (id, email, email_key, name, role, status, created_at, updated_at)
          SELECT gen_random_uuid(), 'many-' || n || '@directory.test', 'many-' || n || '@directory.test', 'Many', 'VIEWER', 'ACTIVE',
            now(), now()
          FROM generate_series(1, 1000) AS n RETURNING id, email
        )
        INSERT INTO scim_users (user_id, provider, user_name_key, attributes, created_at)
        SELECT id, 'scim', email, '{}', now() FROM made RETURNING user_id AS id`)
    ).map(({ id }) => `usr_${id}`);
    const { id } = await group('Many', { externalId: 'object-id-of-many' });
    const mapping = { provider: 'scim', group: 'object-id-of-many', role: 'ANALYST' };
    const mutation =
      'mutation($input: SetGroupMappingInput!) { setGroupMapping(input: $input) { groupMapping { id } } }';
    (await server.gql(mutation, { input: mapping }, adminToken)).expectData();
    const rolesOfAll = () =>
      server.sql(`SELECT role::text, count(*)::int FROM users WHERE email LIKE 'many-%' GROUP BY role`);
    const value = ids.map((value) => ({ value }));
    const added = await directory.patch(`/Groups/${id}`, { op: 'Add', path: 'members', value });
    expect([added.status, added.body.members.length]).toEqual([200, 1000]);
    expect(await rolesOfAll()).toEqual([{ role: 'ANALYST', count: 1000 }]);
    const removed = await directory.patch(`/Groups/${id}`, { op: 'Remove', path: 'members', value });
    expect([removed.status, removed.body.members ?? []]).toEqual([200, []]);
    expect(await rolesOfAll()).toEqual([{ role: 'VIEWER', count: 1000 }]);
    await directory.call('DELETE', `/Groups/${id}`);
  });

  it('comes and goes with the membership, at once, and with the name of the group', async () => {
    const user = await directory.user();
    const { id } = await group('Analysts', { members: [{ value: user.id }] });
    expect(await roleOf(user.id)).toBe('ANALYST');
    await directory.patch(`/Groups/${id}`, { op: 'remove', path: 'members' });
    expect(await roleOf(user.id)).toBe('VIEWER');
    await directory.patch(`/Groups/${id}`, { op: 'add', path: 'members', value: [{ value: user.id }] });
    expect(await roleOf(user.id)).toBe('ANALYST');
    await directory.patch(`/Groups/${id}`, { op: 'replace', path: 'displayName', value: 'Others' });
    expect(await roleOf(user.id)).toBe('VIEWER');
    await directory.patch(`/Groups/${id}`, { op: 'replace', path: 'displayName', value: 'Analysts' });
    expect(await roleOf(user.id)).toBe('ANALYST');
    await directory.call('DELETE', `/Groups/${id}`);
    expect(await roleOf(user.id)).toBe('VIEWER');
  });

  it('is a membership of a project too, by the external id of the group', async () => {
    const user = await directory.user();
    const { id } = await group('Web', { externalId: 'object-id-of-web', members: [{ value: user.id }] });
    expect(await membershipsOf(user.id)).toEqual([{ role: 'ANALYST', provider: 'scim' }]);
    await directory.call('DELETE', `/Groups/${id}`);
    expect(await membershipsOf(user.id)).toEqual([]);
  });

  it('is given by roles of a user as by groups', async () => {
    const user = await directory.user({ roles: [{ value: 'Analysts' }] });
    expect(await roleOf(user.id)).toBe('ANALYST');
    await directory.patch(`/Users/${user.id}`, { op: 'remove', path: 'roles' });
    expect(await roleOf(user.id)).toBe('VIEWER');
  });

  it('of two groups that change at once is the sum of both', async () => {
    const user = await directory.user();
    const [one, other] = [await group('Analysts'), await group('Web', { externalId: 'object-id-of-web' })];
    const add = { op: 'add', path: 'members', value: [{ value: user.id }] };
    await Promise.all([one, other].map(({ id }) => directory.patch(`/Groups/${id}`, add)));
    expect([await roleOf(user.id), await membershipsOf(user.id)]).toEqual([
      'ANALYST',
      [{ role: 'ANALYST', provider: 'scim' }],
    ]);
  });

  it('is in the audit trail, with the token as its actor', async () => {
    const rows = await server.sql<{ action: string }>(
      "SELECT DISTINCT action FROM audit_events WHERE actor_label LIKE 'SCIM token%'",
    );
    expect(rows.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['scim_group.create', 'scim_group.update', 'scim_group.delete']),
    );
  });
});
