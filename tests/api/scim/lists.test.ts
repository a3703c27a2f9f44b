// Lists over SCIM: filters, sorting, pages by index and the choice of attributes (RFC 7644, section 3.4.2).
import { describe, expect, it } from '@jest/globals';
import { createDirectory, urn } from '../../kit/scim/directory.js';
import { useServer } from '../../kit/use.js';

const ids: Record<string, string> = {};

const people: Record<string, Record<string, unknown>> = {
  ada: {
    externalId: 'Ext-1',
    name: { givenName: 'Ada', familyName: 'Lovelace' },
    displayName: 'Ada Lovelace',
    emails: [
      { value: 'ada@work.test', type: 'work', primary: true },
      { value: 'ada@home.test', type: 'home' },
    ],
    roles: [{ value: 'Engineer', primary: true }],
    [urn.enterprise]: { department: 'Engines', manager: { value: 'boss' } },
  },
  grace: { displayName: 'Grace "Amazing" Hopper', title: 'Rear Admiral', externalId: 'ext-2' },
  alan: { displayName: String.raw`CORP\alan`, active: false, title: 'Élève' },
  barbara: { displayName: 'Barbara 100%_sure', preferredLanguage: 'sv' },
};

const server = await useServer();
const adminToken = await server.signIn();
const directory = await createDirectory(server, adminToken);
for (const [name, attributes] of Object.entries(people))
  ids[name] = (await directory.user({ userName: `${name}@filters.test`, ...attributes })).id;
// Another token of the same directory sees the same.
const other = await createDirectory(server, adminToken, { provider: 'scim' });
expect((await other.call('GET', '/Users')).body.totalResults).toBe(4);

const query = (parameters: Record<string, string>) =>
  directory.call('GET', `/Users?${new URLSearchParams(parameters)}`);

async function found(filter: string): Promise<string[]> {
  const { status, body } = await query({ filter });
  if (status !== 200) throw new Error(`${filter}: ${JSON.stringify(body)}`);
  expect(body.totalResults).toBe(body.Resources.length);
  return body.Resources.map(({ userName }: { userName: string }) => userName.split('@')[0]).sort();
}

describe('a filter', () => {
  it.each([
    ['userName eq "ADA@filters.test"', ['ada']],
    ['USERNAME Eq "ada@filters.test"', ['ada']],
    [`${urn.user}:userName eq "ada@filters.test"`, ['ada']],
    ['userName ne "ada@filters.test"', ['alan', 'barbara', 'grace']],
    ['userName eq "nobody@filters.test"', []],
    ['userName sw "A"', ['ada', 'alan']],
    ['userName co "RACE@"', ['grace']],
    ['userName ew "@Filters.test" and userName gt "b"', ['barbara', 'grace']],
    ['externalId eq "Ext-1"', ['ada']],
    ['externalId eq "ext-1"', []],
    ['externalId pr', ['ada', 'grace']],
    ['not (externalId pr)', ['alan', 'barbara']],
    ['externalId eq null', ['alan', 'barbara']],
    ['displayName co "lovel"', ['ada']],
    ['displayName sw "ada"', ['ada']],
    ['displayName ew "HOPPER"', ['grace']],
    [String.raw`displayName eq "Grace \"Amazing\" Hopper"`, ['grace']],
    [String.raw`displayName eq "CORP\\alan"`, ['alan']],
    [String.raw`title eq "\u00c9l\u00e8ve"`, ['alan']],
    ['displayName co "100%_"', ['barbara']],
    ['displayName co "%"', ['barbara']],
    ['active eq true', ['ada', 'barbara', 'grace']],
    ['active eq "False"', ['alan']],
    ['active ne true', ['alan']],
    ['title gt "F"', ['alan', 'grace']],
    ['name.familyName eq "lovelace"', ['ada']],
    ['emails eq "ada@home.test"', ['ada']],
    ['emails.value eq "ADA@home.test"', ['ada']],
    ['emails[type eq "home"].value eq "ada@home.test"', ['ada']],
    ['emails[type eq "work" and value co "home"]', []],
    ['emails[type eq "work" and value eq "ada@work.test" and primary eq true]', ['ada']],
    ['emails.value eq "grace@filters.test"', ['grace']],
    ['emails[not (type eq "work")]', ['ada']],
    ['roles.value eq "engineer"', ['ada']],
    ['roles pr', ['ada']],
    [`${urn.enterprise}:department eq "engines"`, ['ada']],
    [`${urn.enterprise}:manager eq "boss"`, ['ada']],
    [`${urn.enterprise}:manager.value eq "boss"`, ['ada']],
    [
      'meta.created gt "2020-01-01T00:00:00Z" and meta.lastModified ge "2020-01-01T00:00:00+01:00"',
      ['ada', 'alan', 'barbara', 'grace'],
    ],
    ['meta.created lt "2020-01-01T00:00:00Z"', []],
    ['title pr or externalId eq "Ext-1" and active eq false', ['alan', 'grace']],
    ['(title pr or externalId eq "Ext-1") and active eq false', ['alan']],
    ['id eq "nonsense"', []],
  ])('%s finds %j', async (filter, names) => {
    expect(await found(filter)).toEqual(names);
  });

  it('by id finds the one', async () => {
    expect(await found(`id eq "${ids.ada}"`)).toEqual(['ada']);
    expect(await found(`id eq "${ids.ada}" and ${urn.enterprise}:manager eq "boss"`)).toEqual(['ada']);
  });

  it.each([
    ['an attribute that is unknown', 'colour eq "red"'],
    ['a name that every object has', 'constructor pr'],
    ['such a name within an attribute', 'emails.constructor pr'],
    ['a part of an id', 'id sw "usr_"'],
    ['an attribute that is not kept', 'phoneNumbers.value eq "1"'],
    ['an operator that is unknown', 'title like "x"'],
    ['no value', 'title eq'],
    ['a word in place of a text', 'title eq red'],
    ['a text that does not end', 'title eq "red'],
    ['an escape that JSON has not', String.raw`title eq "\x"`],
    ['a bracket that does not close', '(title pr'],
    ['something behind its end', 'title pr title'],
    ['an order of flags', 'active gt true'],
    ['a flag as text of another', 'active eq "perhaps"'],
    ['a number for a text', 'title eq 5'],
    ['a part of a time', 'meta.created co "2020"'],
    ['a time that is none', 'meta.created gt "yesterday"'],
    ['values of what has one', 'title[value eq "x"]'],
    ['a complex attribute as a whole', 'name eq "x"'],
    ['more characters than allowed', `title eq "${'x'.repeat(2000)}"`],
    ['more brackets than allowed', `${'('.repeat(21)}title pr${')'.repeat(21)}`],
    ['a NUL', String.raw`title eq "\u0000"`],
    ['an injection', `title eq "x" or 1=1`],
    ['nothing', ''],
  ])('of %s is refused with invalidFilter', async (_what, filter) => {
    const { status, body } = await query({ filter });
    expect([status, body.schemas, body.status, body.scimType]).toEqual([
      400,
      [urn.error],
      '400',
      'invalidFilter',
    ]);
  });
});

describe('a page', () => {
  const names = ({ Resources }: { Resources: { userName: string }[] }) =>
    Resources.map(({ userName }) => userName.split('@')[0]);

  it('begins at an index and has as many as asked for, within bounds', async () => {
    const all = await query({ sortBy: 'userName' });
    expect(names(all.body)).toEqual(['ada', 'alan', 'barbara', 'grace']);
    expect(all.body).toMatchObject({ schemas: [urn.list], totalResults: 4, startIndex: 1, itemsPerPage: 4 });
    const second = await query({ sortBy: 'userName', startIndex: '2', count: '2' });
    expect(names(second.body)).toEqual(['alan', 'barbara']);
    expect(second.body).toMatchObject({ totalResults: 4, startIndex: 2, itemsPerPage: 2 });
    const count = await query({ count: '0' });
    expect(count.body).toMatchObject({ totalResults: 4, itemsPerPage: 0, Resources: [] });
    const odd = await query({ sortBy: 'userName', startIndex: '-5', count: '-1' });
    expect(odd.body).toMatchObject({ startIndex: 1, itemsPerPage: 0 });
    expect((await query({ startIndex: '100' })).body).toMatchObject({ totalResults: 4, Resources: [] });
  });

  it('is sorted by any attribute with one value, both ways, unassigned ones last', async () => {
    expect(names((await query({ sortBy: 'displayName', sortOrder: 'descending' })).body)[0]).toBe('grace');
    expect(
      names((await query({ sortBy: 'title' })).body)
        .slice(0, 2)
        .sort(),
    ).toEqual(['alan', 'grace']);
    expect((await query({ sortBy: 'meta.created' })).body.Resources[0].id).toBe(ids.ada);
    for (const path of ['/Users?sortBy=emails', '/Users?sortBy=__proto__', '/Groups?sortBy=constructor']) {
      const { status, body } = await directory.call('GET', path);
      expect([path, status, body.scimType]).toEqual([path, 400, 'invalidValue']);
    }
  });

  it.each<Record<string, string>>([{ startIndex: 'first' }, { count: '1.5' }, { sortOrder: 'sideways' }])(
    'of %j is refused',
    async (parameters) => {
      const { status, body } = await query(parameters);
      expect([status, body.scimType]).toEqual([400, 'invalidValue']);
    },
  );

  it('has at most 200, and ignores parameters that it does not know', async () => {
    expect((await query({ count: '100000', colour: 'red' })).status).toBe(200);
    const most = await query({ count: '9223372036854775807', startIndex: '-99999999999' });
    expect(most.body).toMatchObject({ startIndex: 1, itemsPerPage: 4 });
    expect((await query({ startIndex: '99999999999' })).body.itemsPerPage).toBe(0);
  });
});

describe('attributes', () => {
  it('are those asked for, with id and schemas always', async () => {
    const asked = {
      filter: 'userName eq "ada@filters.test"',
      attributes: 'USERNAME,emails.value, name.givenName',
    };
    expect((await query(asked)).body.Resources[0]).toEqual({
      ...{ schemas: [urn.user, urn.enterprise], id: ids.ada, userName: 'ada@filters.test' },
      emails: [{ value: 'ada@work.test' }, { value: 'ada@home.test' }],
      name: { givenName: 'Ada' },
    });
    const one = await directory.call('GET', `/Users/${ids.ada}?attributes=${urn.enterprise}:department`);
    expect(one.body).toEqual({
      ...{ schemas: [urn.user, urn.enterprise], id: ids.ada, [urn.enterprise]: { department: 'Engines' } },
    });
  });

  it('that are excluded are not sent', async () => {
    const { body } = await directory.call(
      'GET',
      `/Users/${ids.ada}?excludedAttributes=emails,id,meta,${urn.user}:name`,
    );
    expect(Object.keys(body)).toEqual(expect.not.arrayContaining(['emails', 'meta', 'name']));
    expect(body.id).toBe(ids.ada);
  });
});
