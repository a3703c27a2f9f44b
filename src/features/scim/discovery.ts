// Discovery for directories (RFC 7644, section 4): abilities of the server, its types of resources, and their schemas.
import { AppError } from '../../core/errors.js';
import { maxPage } from './resource/list.js';
import type { Attribute, Schema } from './resource/schemas.js';

const configUrn = 'urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig';
const typeUrn = 'urn:ietf:params:scim:schemas:core:2.0:ResourceType';
const schemaUrn = 'urn:ietf:params:scim:schemas:core:2.0:Schema';

/** Abilities of the server. */
export function serviceProviderConfig(baseUrl: string) {
  return {
    schemas: [configUrn],
    patch: { supported: true },
    bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
    filter: { supported: true, maxResults: maxPage },
    changePassword: { supported: false },
    sort: { supported: true },
    etag: { supported: true },
    authenticationSchemes: [
      {
        type: 'oauthbearertoken',
        name: 'SCIM token',
        description: 'A bearer token that an admin creates (createScimToken in GraphQL).',
        primary: true,
      },
    ],
    meta: { resourceType: 'ServiceProviderConfig', location: `${baseUrl}/ServiceProviderConfig` },
  };
}

/** A type of resources. */
export function resourceTypeOf({ name, description, urn, extension }: Schema, baseUrl: string) {
  return {
    schemas: [typeUrn],
    id: name,
    name,
    description,
    endpoint: `/${name}s`,
    schema: urn,
    schemaExtensions: extension === undefined ? [] : [{ schema: extension.urn, required: false }],
    meta: { resourceType: 'ResourceType', location: `${baseUrl}/ResourceTypes/${name}` },
  };
}

/** A schema as it is sent. */
export function schemaOf({ urn, name, description, attributes }: Schema, baseUrl: string) {
  return {
    schemas: [schemaUrn],
    id: urn,
    name,
    description,
    attributes: attributes.map(describe),
    meta: { resourceType: 'Schema', location: `${baseUrl}/Schemas/${urn}` },
  };
}

/** The only one of these. @throws NOT_FOUND */
export function oneOf<Item extends { id: string }>(items: readonly Item[], id: string): Item {
  const found = items.find((item) => item.id.toLowerCase() === id.toLowerCase());
  if (found === undefined) throw new AppError('NOT_FOUND', { message: 'There is none of this id.' });
  return found;
}

interface Described {
  name: string;
  type: string;
  multiValued: boolean;
  description: string;
  required: boolean;
  mutability: string;
  returned: string;
  uniqueness: string;
  caseExact?: boolean;
  subAttributes?: Described[];
}

function describe(attribute: Attribute): Described {
  const { name, type, description, subs } = attribute;
  return {
    name,
    type,
    multiValued: attribute.isMultiValued === true,
    description,
    required: attribute.isRequired === true,
    mutability: attribute.isReadOnly === true ? 'readOnly' : 'readWrite',
    returned: 'default',
    uniqueness: attribute.isUnique === true ? 'server' : 'none',
    ...(type === 'string' && { caseExact: attribute.isCaseExact === true }),
    ...(subs !== undefined && { subAttributes: subs.map(describe) }),
  };
}
