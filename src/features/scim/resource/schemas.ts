// The schemas of SCIM resources (RFC 7643) as data: what is kept of them, for reading, PATCH, filters and /Schemas.

/** URNs of the schemas. */
export const urns = {
  user: 'urn:ietf:params:scim:schemas:core:2.0:User',
  group: 'urn:ietf:params:scim:schemas:core:2.0:Group',
  enterprise: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User',
} as const;

/** An attribute, as /Schemas describes it. */
export interface Attribute {
  name: string;
  type: 'string' | 'boolean' | 'complex';
  description: string;
  isMultiValued?: boolean;
  isRequired?: boolean;
  isReadOnly?: boolean;
  isCaseExact?: boolean;
  isUnique?: boolean;
  /** Whether its values are rows of their own, so that documents leave them out. */
  isRows?: boolean;
  /** Attributes of a complex one. */
  subs?: readonly Attribute[];
}

/** A schema; an extension stands in a resource under its URN. */
export interface Schema {
  urn: string;
  name: string;
  description: string;
  attributes: readonly Attribute[];
  extension?: Schema;
  /** Attributes of RFC 7643 that are accepted and not kept: nothing here needs them. */
  ignored: ReadonlySet<string>;
}

const text = (name: string, description: string, more: Partial<Attribute> = {}): Attribute => ({
  name,
  type: 'string',
  description,
  ...more,
});
const flag = (name: string, description: string): Attribute => ({ name, type: 'boolean', description });
const complex = (name: string, description: string, subs: readonly Attribute[]): Attribute => ({
  name,
  type: 'complex',
  description,
  subs,
});
const list = (name: string, description: string, subs: readonly Attribute[]): Attribute => ({
  name,
  type: 'complex',
  description,
  isMultiValued: true,
  subs,
});

const labelled = [
  text('type', 'Kind, for example work.'),
  flag('primary', 'Whether it is the preferred one; at most one is.'),
  text('display', 'Name to show.'),
];

const externalId = text('externalId', 'Id in the directory.', { isCaseExact: true });

const enterprise: Schema = {
  urn: urns.enterprise,
  name: 'EnterpriseUser',
  description: 'What an organisation says of its people.',
  attributes: [
    text('employeeNumber', 'Number of the person.'),
    text('organization', 'Organisation.'),
    text('division', 'Division.'),
    text('department', 'Department.'),
    text('costCenter', 'Cost centre.'),
    complex('manager', 'The manager.', [
      text('value', 'Id of the manager.', { isCaseExact: true }),
      text('displayName', 'Name of the manager.'),
    ]),
  ],
  ignored: new Set(),
};

/** Users. */
export const userSchema: Schema = {
  urn: urns.user,
  name: 'User',
  description: 'A person who signs in.',
  attributes: [
    text('userName', 'Name in the directory; the e-mail address where no other is given.', {
      isRequired: true,
      isUnique: true,
    }),
    externalId,
    complex('name', 'Parts of the name.', [
      text('formatted', 'The whole name.'),
      text('familyName', 'Family name.'),
      text('givenName', 'Given name.'),
      text('middleName', 'Middle name.'),
      text('honorificPrefix', 'Title in front.'),
      text('honorificSuffix', 'Title behind.'),
    ]),
    text('displayName', 'Display name.'),
    text('title', 'Job title.'),
    text('userType', 'Relation to the organisation.'),
    text('preferredLanguage', 'Language.'),
    flag('active', 'Whether the person can sign in. False ends all sessions and API keys.'),
    list('emails', 'E-mail addresses; the primary one, or the first of type work, is that of the account.', [
      text('value', 'E-mail address.'),
      ...labelled,
    ]),
    {
      ...list('groups', 'Groups of the directory that the person is in.', [
        text('value', 'Id of the group.', { isCaseExact: true }),
        text('display', 'Name of the group.'),
      ]),
      isReadOnly: true,
    },
    list('roles', 'Roles in the directory; mappings give them a meaning here, as they do for groups.', [
      text('value', 'Name of the role.'),
      ...labelled,
    ]),
  ],
  extension: enterprise,
  ignored: new Set(
    [
      ...['nickName', 'profileUrl', 'locale', 'timezone', 'password', 'phoneNumbers', 'ims', 'photos'],
      ...['addresses', 'entitlements', 'x509Certificates', 'schemas'],
    ].map((name) => name.toLowerCase()),
  ),
};

/** Groups. */
export const groupSchema: Schema = {
  urn: urns.group,
  name: 'Group',
  description: 'A group of users.',
  attributes: [
    text('displayName', 'Name of the group.', { isRequired: true, isUnique: true }),
    externalId,
    {
      ...list('members', 'Users of the directory who are in the group.', [
        text('value', 'Id of the user.', { isCaseExact: true }),
        text('display', 'Name of the user.'),
        text('type', 'User.'),
      ]),
      isRows: true,
    },
  ],
  ignored: new Set(['schemas']),
};

/** An attribute by its name, in any case. */
export function attributeOf(attributes: readonly Attribute[], name: string): Attribute | undefined {
  const wanted = name.toLowerCase();
  return attributes.find((attribute) => attribute.name.toLowerCase() === wanted);
}

/** Where a path leads: an attribute of the schema or of its extension, and perhaps one of its own attributes. */
export interface Located {
  attribute: Attribute;
  sub?: Attribute;
  /** URN of the extension that it belongs to. */
  extension?: string;
}

/**
 * Finds what a path names: `name.givenName`, or an attribute behind the URN of its schema.
 * @returns 'ignored' for an attribute that is accepted and not kept; undefined for an unknown one
 */
export function locate(schema: Schema, path: string): Located | 'ignored' | undefined {
  const { extension } = schema;
  if (extension !== undefined && startsWithUrn(path, extension.urn)) {
    const found = locate(extension, path.slice(extension.urn.length + 1));
    return typeof found === 'object' ? { ...found, extension: extension.urn } : found;
  }
  const bare = startsWithUrn(path, schema.urn) ? path.slice(schema.urn.length + 1) : path;
  const [name = '', sub, ...more] = bare.split('.');
  if (schema.ignored.has(name.toLowerCase())) return 'ignored';
  const attribute = attributeOf(schema.attributes, name);
  if (attribute === undefined || more.length > 0) return undefined;
  if (sub === undefined) return { attribute };
  const found = attributeOf(attribute.subs ?? [], sub);
  return found && { attribute, sub: found };
}

/** Whether a path begins with a URN and a colon, in any case. */
function startsWithUrn(path: string, urn: string): boolean {
  return path.slice(0, urn.length + 1).toLowerCase() === `${urn.toLowerCase()}:`;
}
