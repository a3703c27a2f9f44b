// Users over SCIM, by the words of RFC 7643 and 7644: what a directory writes is an account here, and is read back.
import { describe, expect, it } from '@jest/globals';
import { until } from '../../kit/live.js';
import { createDirectory, type ScimAnswer, urn } from '../../kit/scim/directory.js';
import { createPerson } from '../../kit/seed.js';
import { useServer } from '../../kit/use.js';

const server = await useServer({ PUBLIC_URL: 'https://sec.example.test/app' });
const adminToken = await server.signIn();
const directory = await createDirectory(server, adminToken);

const account = async (id: string) =>
  (
    await server.gql('query($id: ID!) { user(id: $id) { email name role status } }', { id }, adminToken)
  ).expectData().user;

/** Status and scimType of an error, whose form it checks. */
function errorOf({ status, body, headers }: ScimAnswer): string {
  expect(headers.get('content-type')).toBe('application/scim+json; charset=utf-8');
  expect(body).toMatchObject({ schemas: [urn.error], status: String(status), detail: expect.any(String) });
  return [status, body.scimType].filter(Boolean).join(' ');
}

describe('a user', () => {
  it('is created with an account, and answered with id, location and version', async () => {
    const { status, headers, body } = await directory.call('POST', '/Users', {
      schemas: [urn.user, urn.enterprise],
      userName: 'Ada@Bücher.test',
      externalId: '00u1',
      name: { givenName: 'Ada', familyName: 'Lovelace' },
      emails: [
        { value: 'home@directory.test', type: 'home' },
        { value: 'Ada@Bücher.test', type: 'work', primary: true },
      ],
      title: 'Countess',
      active: true,
      password: 'is not kept',
      phoneNumbers: [{ value: 'is not kept' }],
      nonsense: 1,
      [urn.enterprise]: { department: 'Engines', manager: { value: '26118915' } },
    });
    expect(status).toBe(201);
    expect(headers.get('content-type')).toBe('application/scim+json; charset=utf-8');
    expect(headers.get('location')).toBe(`https://sec.example.test/app/scim/v2/Users/${body.id}`);
    expect(headers.get('etag')).toBe(body.meta.version);
    expect(body).toEqual({
      schemas: [urn.user, urn.enterprise],
      id: expect.stringMatching(/^usr_/),
      userName: 'Ada@Bücher.test',
      externalId: '00u1',
      name: { givenName: 'Ada', familyName: 'Lovelace' },
      displayName: 'Ada Lovelace',
      emails: [
        { value: 'home@directory.test', type: 'home' },
        { value: 'Ada@Bücher.test', type: 'work', primary: true },
      ],
      title: 'Countess',
      active: true,
      [urn.enterprise]: { department: 'Engines', manager: { value: '26118915' } },
      meta: {
        resourceType: 'User',
        created: expect.stringMatching(/Z$/),
        lastModified: expect.stringMatching(/Z$/),
        location: headers.get('location'),
        version: expect.stringMatching(/^W\/"/),
      },
    });
    expect(await account(body.id)).toEqual({
      ...{ email: 'Ada@xn--bcher-kva.test', name: 'Ada Lovelace', role: 'VIEWER', status: 'INVITED' },
    });
    expect((await directory.call('GET', `/Users/${body.id}`)).body).toEqual(body);
  });

  it('has no password, and a password that is sent is stored nowhere', async () => {
    const { id } = await directory.user({ password: 'swordfish 4711 lantern' });
    const [row] = await server.sql<{ password_hash: string | null; attributes: object }>(
      'SELECT password_hash, attributes FROM users JOIN scim_users ON user_id = id WHERE id = $1',
      [id.slice(4)],
    );
    expect(row?.password_hash).toBeNull();
    expect(JSON.stringify(row)).not.toContain('swordfish');
  });

  it.each([
    ['no userName', { displayName: 'Nobody' }, '400 invalidValue'],
    ['no address anywhere', { userName: 'not-an-address' }, '400 invalidValue'],
    [
      'an address that is none',
      { userName: 'a@b.test', emails: [{ value: 'nonsense' }] },
      '400 invalidValue',
    ],
    ['a flag that is none', { userName: 'a@b.test', active: 'perhaps' }, '400 invalidValue'],
    ['a text that is an object', { userName: { a: 1 } }, '400 invalidValue'],
    ['a name that is a text of NUL', { userName: 'a@b.test', title: 'a\0b' }, '400 invalidValue'],
    ['a text beyond its limit', { userName: 'a@b.test', title: 'x'.repeat(1001) }, '400 invalidValue'],
    [
      'too many values',
      { userName: 'a@b.test', roles: Array.from({ length: 51 }, () => ({ value: 'r' })) },
      '400 invalidValue',
    ],
    ['no object', [], '400 invalidSyntax'],
    ['no JSON', '{"userName": ', '400 invalidSyntax'],
  ])('with %s is refused', async (_what, body, error) => {
    expect(errorOf(await directory.call('POST', '/Users', body))).toBe(error);
  });

  it('of a name or address that is taken is refused with uniqueness, in any case of letters', async () => {
    const user = await directory.user();
    const again = { userName: user.userName.toUpperCase(), emails: [{ value: 'other@directory.test' }] };
    expect(errorOf(await directory.call('POST', '/Users', again))).toBe('409 uniqueness');
    const mail = { userName: 'another-name', emails: [{ value: user.userName.toUpperCase() }] };
    expect(errorOf(await directory.call('POST', '/Users', mail))).toBe('409 uniqueness');
    const other = await directory.user();
    const renamed = await directory.patch(`/Users/${other.id}`, {
      op: 'replace',
      path: 'userName',
      value: user.userName,
    });
    expect(errorOf(renamed)).toBe('409 uniqueness');
  });

  it('of two requests at once exists once', async () => {
    const body = { userName: 'race@directory.test' };
    const answers = await Promise.all([1, 2, 3].map(() => directory.call('POST', '/Users', body)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
  });

  it('whose body is no JSON of SCIM is refused by its media type', async () => {
    const answer = await directory.call('POST', '/Users', '<user/>', { 'content-type': 'text/xml' });
    expect(errorOf(answer)).toBe('415');
    const json = await directory.call(
      'POST',
      '/Users',
      { userName: 'json@directory.test' },
      { 'content-type': 'application/json' },
    );
    expect(json.status).toBe(201);
  });
});

describe('PUT', () => {
  it('replaces all that the directory has said, and leaves what is not sent unassigned', async () => {
    const user = await directory.user({ title: 'Clerk', name: { givenName: 'A', familyName: 'B' } });
    const { status, body } = await directory.call('PUT', `/Users/${user.id}`, {
      ...user,
      title: undefined,
      name: { givenName: 'Grace', familyName: 'Hopper' },
      displayName: 'Grace Hopper',
      emails: [{ value: 'grace@directory.test', primary: true }],
    });
    expect([status, body.title, body.displayName]).toEqual([200, undefined, 'Grace Hopper']);
    expect(await account(user.id)).toMatchObject({ email: 'grace@directory.test', name: 'Grace Hopper' });
  });

  it('without active changes nothing about it', async () => {
    const user = await directory.user({ active: false });
    const { body } = await directory.call('PUT', `/Users/${user.id}`, {
      userName: user.userName,
      title: 'T',
    });
    expect([body.active, body.title]).toEqual([false, 'T']);
  });
});

describe('PATCH', () => {
  it('applies operations in order, all or none', async () => {
    const user = await directory.user({ title: 'before' });
    const failed = await directory.patch(
      `/Users/${user.id}`,
      { op: 'replace', path: 'title', value: 'after' },
      { op: 'replace', path: 'nonsense', value: 1 },
    );
    expect(errorOf(failed)).toBe('400 invalidPath');
    expect((await directory.call('GET', `/Users/${user.id}`)).body.title).toBe('before');
    const { body } = await directory.patch(
      `/Users/${user.id}`,
      { op: 'replace', path: 'title', value: 'first' },
      { op: 'add', path: 'title', value: 'second' },
      { op: 'add', path: 'name', value: { givenName: 'G' } },
      { op: 'add', path: 'NAME.FamilyName', value: 'F' },
      { op: 'remove', path: 'name.givenName' },
    );
    expect([body.title, body.name]).toEqual(['second', { familyName: 'F' }]);
  });

  it.each([
    ['a remove without a path', { op: 'remove' }, '400 noTarget'],
    ['an operation that is none', { op: 'move', path: 'title', value: 'x' }, '400 invalidSyntax'],
    ['a read-only attribute', { op: 'replace', path: 'id', value: 'x' }, '400 mutability'],
    ['a required attribute that goes', { op: 'remove', path: 'userName' }, '400 invalidValue'],
    [
      'a filter that selects nothing',
      { op: 'replace', path: 'emails[type eq "fax"].value', value: 'x@y.test' },
      '400 noTarget',
    ],
    [
      'a filter of an attribute with one value',
      { op: 'replace', path: 'title[value eq "x"]', value: 'y' },
      '400 invalidPath',
    ],
    [
      'a filter that cannot be read',
      { op: 'replace', path: 'emails[type eq].value', value: 'y' },
      '400 invalidPath',
    ],
    [
      'a filter by what is unknown',
      { op: 'replace', path: 'emails[colour eq "red"].value', value: 'y' },
      '400 invalidFilter',
    ],
    [
      'a value that is no address',
      { op: 'replace', path: 'emails[type eq "work"].value', value: 'nonsense' },
      '400 invalidValue',
    ],
    ['a path into what has no parts', { op: 'replace', path: 'title.part', value: 'y' }, '400 invalidPath'],
    [
      'the prototype of objects',
      { op: 'replace', path: '__proto__.polluted', value: 'y' },
      '400 invalidPath',
    ],
    ['a path beyond its limit', { op: 'replace', path: 'x'.repeat(2001), value: 'y' }, '400 invalidPath'],
  ])('of %s is refused', async (_what, operation, error) => {
    const user = await directory.user({
      emails: [{ value: 'p@directory.test', type: 'work' }],
      userName: `${Math.random()}`,
    });
    try {
      expect(errorOf(await directory.patch(`/Users/${user.id}`, operation))).toBe(error);
    } finally {
      await directory.call('DELETE', `/Users/${user.id}`);
    }
    expect(({} as { polluted?: string }).polluted).toBeUndefined();
  });

  it('without the schema of PATCH, with no operation or with too many is refused', async () => {
    const { id } = await directory.user();
    const operation = { op: 'replace', path: 'title', value: 'x' };
    for (const body of [
      { Operations: [operation] },
      { schemas: [urn.patch], Operations: [] },
      { schemas: [urn.patch], Operations: Array.from({ length: 201 }, () => operation) },
    ])
      expect(errorOf(await directory.call('PATCH', `/Users/${id}`, body))).toBe('400 invalidSyntax');
  });

  it('keeps one primary address, that of the account', async () => {
    const user = await directory.user({ emails: [{ value: 'one@directory.test', primary: true }] });
    const { body } = await directory.patch(`/Users/${user.id}`, {
      ...{ op: 'add', path: 'emails', value: [{ value: 'two@directory.test', primary: true }] },
    });
    expect(body.emails).toEqual([
      { value: 'one@directory.test', primary: false },
      { value: 'two@directory.test', primary: true },
    ]);
    expect((await account(user.id)).email).toBe('two@directory.test');
    const back = await directory.patch(`/Users/${user.id}`, {
      ...{ op: 'replace', path: 'emails[value eq "ONE@directory.test"].primary', value: 'True' },
    });
    expect(back.body.emails.map(({ primary }: { primary: boolean }) => primary)).toEqual([true, false]);
    expect((await account(user.id)).email).toBe('one@directory.test');
  });

  it('finds the address that the directory reads and has not sent, as Entra replaces it', async () => {
    const user = await directory.user();
    expect(user.emails).toEqual([{ value: user.userName, type: 'work', primary: true }]);
    const { body } = await directory.patch(`/Users/${user.id}`, {
      ...{ op: 'Replace', path: 'emails[type eq "work"].value', value: 'other@directory.test' },
    });
    expect(body.emails).toEqual([{ value: 'other@directory.test', type: 'work', primary: true }]);
    expect((await account(user.id)).email).toBe('other@directory.test');
  });

  it('of requests at once loses nothing', async () => {
    const user = await directory.user();
    const paths = [
      'title',
      'userType',
      'preferredLanguage',
      'name.givenName',
      'name.familyName',
      'name.middleName',
    ];
    const answers = await Promise.all(
      paths.map((path) => directory.patch(`/Users/${user.id}`, { op: 'add', path, value: `new ${path}` })),
    );
    expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 200));
    const { body } = await directory.call('GET', `/Users/${user.id}`);
    expect([body.title, body.userType, body.preferredLanguage, body.name]).toEqual([
      ...['new title', 'new userType', 'new preferredLanguage'],
      {
        givenName: 'new name.givenName',
        familyName: 'new name.familyName',
        middleName: 'new name.middleName',
      },
    ]);
  });
});

describe('a version', () => {
  it('that has passed keeps a change away (If-Match), and spares a read (If-None-Match)', async () => {
    const user = await directory.user();
    const path = `/Users/${user.id}`;
    const { version } = user.meta;
    const unchanged = await directory.call('GET', path, undefined, { 'if-none-match': version });
    expect([unchanged.status, unchanged.body]).toEqual([304, undefined]);
    const change = { ...user, title: 'changed' };
    expect((await directory.call('PUT', path, change, { 'if-match': version })).status).toBe(200);
    expect(errorOf(await directory.call('PUT', path, change, { 'if-match': version }))).toBe('412');
    expect(errorOf(await directory.call('DELETE', path, undefined, { 'if-match': version }))).toBe('412');
    expect((await directory.call('GET', path, undefined, { 'if-none-match': version })).status).toBe(200);
    expect((await directory.call('DELETE', path, undefined, { 'if-match': '*' })).status).toBe(204);
  });
});

describe('DELETE', () => {
  it('deletes the account; afterwards there is none', async () => {
    const { id } = await directory.user();
    expect(await directory.call('DELETE', `/Users/${id}`)).toMatchObject({ status: 204, body: undefined });
    expect(errorOf(await directory.call('GET', `/Users/${id}`))).toBe('404');
    expect(errorOf(await directory.call('DELETE', `/Users/${id}`))).toBe('404');
    (await server.gql('query($id: ID!) { user(id: $id) { id } }', { id }, adminToken)).expectError(
      'NOT_FOUND',
    );
  });
});

describe('what an admin changes in GraphQL', () => {
  it('is what the directory reads, until it writes again', async () => {
    const user = await directory.user({
      emails: [{ value: 'before@directory.test', type: 'work' }],
      displayName: 'Before',
    });
    const { version } = user.meta;
    const input = { id: user.id, name: 'After', email: 'after@directory.test' };
    (await server.change('updateUser', input, 'user { id }', adminToken)).expectData();
    const { body } = await directory.call('GET', `/Users/${user.id}`);
    expect(body).toMatchObject({
      displayName: 'After',
      emails: [{ value: 'after@directory.test', type: 'work' }],
    });
    expect(body.meta.version).not.toBe(version);
    await directory.patch(`/Users/${user.id}`, { op: 'replace', path: 'title', value: 'T' });
    expect(await account(user.id)).toMatchObject({ name: 'After', email: 'after@directory.test' });
    await directory.call('PUT', `/Users/${user.id}`, user);
    expect(await account(user.id)).toMatchObject({ name: 'Before', email: 'before@directory.test' });
  });
});

describe('discovery', () => {
  it('says what the server can do, and describes resources and schemas', async () => {
    const config = await directory.call('GET', '/ServiceProviderConfig');
    expect(config.body).toMatchObject({
      ...{
        patch: { supported: true },
        bulk: { supported: false },
        filter: { supported: true, maxResults: 200 },
      },
      ...{ changePassword: { supported: false }, sort: { supported: true }, etag: { supported: true } },
      authenticationSchemes: [{ type: 'oauthbearertoken' }],
    });
    const types = await directory.call('GET', '/ResourceTypes');
    expect(types.body.Resources[0]).toMatchObject({ id: 'User', endpoint: '/Users', schema: urn.user });
    expect((await directory.call('GET', '/ResourceTypes/User')).body).toEqual(types.body.Resources[0]);
    const schemas = await directory.call('GET', '/Schemas');
    expect(schemas.body).toMatchObject({ schemas: [urn.list], startIndex: 1 });
    const user = await directory.call('GET', `/Schemas/${urn.user}`);
    expect(user.body.attributes.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['userName', 'name', 'emails', 'active', 'externalId']),
    );
    expect(errorOf(await directory.call('GET', '/Schemas/urn:nothing'))).toBe('404');
  });

  it.each(['/Bulk', '/Me', '/Nothing'])('%s is not there, and says so in the words of SCIM', async (path) => {
    expect(errorOf(await directory.call('GET', path))).toBe('404');
  });

  it('a method that a path has not is refused, and Allow lists its methods', async () => {
    const answer = await directory.call('PUT', '/Users', {});
    expect(errorOf(answer)).toBe('405');
    expect(answer.headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS');
  });
});

describe('the audit trail', () => {
  it('has each change with the token as its actor, in the same transaction', async () => {
    const user = await directory.user();
    await directory.patch(`/Users/${user.id}`, { op: 'replace', path: 'title', value: 'secret title' });
    await directory.patch(`/Users/${user.id}`, { op: 'replace', path: 'active', value: false });
    await directory.call('DELETE', `/Users/${user.id}`);
    const rows = await server.sql<{ action: string; actor_label: string; changes: object }>(
      'SELECT action, actor_label, changes FROM audit_events WHERE target_id = $1 ORDER BY id',
      [user.id.slice(4)],
    );
    expect(rows.map(({ action }) => action)).toEqual([
      ...['user.create', 'user.provision', 'user.deactivate', 'user.provision', 'user.delete'],
    ]);
    expect(new Set(rows.map(({ actor_label }) => actor_label)).size).toBe(1);
    expect(rows[0]?.actor_label).toMatch(/^SCIM token directory \d+$/);
    expect(JSON.stringify(rows[1])).not.toContain('secret title');
  });
});

describe('active', () => {
  it('false ends sessions and keys of an account within a second, and true lets the person back in', async () => {
    const { email, token, id } = await createPerson(server, adminToken, 'ANALYST');
    const adopting = await createDirectory(server, adminToken, { mayAdopt: true });
    const directoryOf = async () =>
      (await server.gql('query($id: ID!) { user(id: $id) { directory } }', { id }, adminToken)).expectData()
        .user;
    expect(await directoryOf()).toEqual({ directory: null });
    const { status, body } = await adopting.call('POST', '/Users', { userName: email, active: true });
    expect([status, body.id]).toEqual([201, id]);
    expect(await directoryOf()).toEqual({ directory: 'scim' });
    expect((await server.rest('GET', '/api/v1/auth/me', { token })).status).toBe(200);
    await adopting.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value: 'False' });
    await until(
      async () => (await server.rest('GET', '/api/v1/auth/me', { token })).status === 401,
      'the session to end',
    );
    expect((await account(id)).status).toBe('DEACTIVATED');
    const back = await adopting.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value: 'True' });
    expect(back.body.active).toBe(true);
    expect((await server.rest('GET', '/api/v1/auth/me', { token })).status).toBe(401);
    expect(await server.signIn(email, 'plum violin 4482 meadow crane')).toMatch(/^eyJ/);
  });
});
