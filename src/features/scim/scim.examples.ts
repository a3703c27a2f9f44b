// Examples of the bodies of SCIM, for openapi.yaml.
import { schemaOf } from './discovery.js';
import { urns, userSchema } from './resource/schemas.js';

/** A schema with one attribute. */
export const schemaExample = {
  ...schemaOf({ ...userSchema, attributes: [] }, 'https://sec.example.com/scim/v2'),
  attributes: [
    {
      name: 'active',
      type: 'boolean',
      multiValued: false,
      description: 'Whether the person can sign in.',
      required: false,
      mutability: 'readWrite',
      returned: 'default',
      uniqueness: 'none',
    },
  ],
};

/** A user as a directory sends it. */
export const userExample = {
  schemas: [urns.user, urns.enterprise],
  userName: 'ada@example.com',
  externalId: '00u1a2b3',
  name: { givenName: 'Ada', familyName: 'Lovelace' },
  displayName: 'Ada Lovelace',
  active: true,
  emails: [{ value: 'ada@example.com', type: 'work', primary: true }],
  [urns.enterprise]: { department: 'Research' },
};

/** A user as it is sent. */
export const userAnswer = {
  ...userExample,
  id: 'usr_0192f0c1-7a44-7c3e-9d52-1f6f2c8b7a10',
  meta: {
    resourceType: 'User',
    created: '2026-11-28T10:00:00.000Z',
    lastModified: '2026-11-28T10:00:00.000Z',
    location: 'https://sec.example.com/scim/v2/Users/usr_0192f0c1-7a44-7c3e-9d52-1f6f2c8b7a10',
    version: 'W/"Zm9vYmFyYmF6cXV1eGNvcmd"',
  },
};

/** A group as a directory sends it. */
export const groupExample = {
  schemas: [urns.group],
  displayName: 'Security',
  externalId: '8aa1a0c0',
  members: [{ value: userAnswer.id, display: 'Ada Lovelace', type: 'User' }],
};

const groupId = 'grp_0192f0c1-7a44-7c3e-9d52-1f6f2c8b7a11';

/** A group as it is sent. */
export const groupAnswer = {
  ...groupExample,
  id: groupId,
  meta: {
    ...userAnswer.meta,
    resourceType: 'Group',
    location: `https://sec.example.com/scim/v2/Groups/${groupId}`,
    version: 'W/"1"',
  },
};

/** A page of one resource. */
export const pageOf = (item: unknown) => ({
  schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
  totalResults: 1,
  startIndex: 1,
  itemsPerPage: 1,
  Resources: [item],
});

/** A PATCH that deactivates a user. */
export const patchExample = {
  schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
  Operations: [{ op: 'replace', path: 'active', value: false }],
};
