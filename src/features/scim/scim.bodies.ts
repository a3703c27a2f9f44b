// Shapes of the bodies of SCIM, for openapi.yaml; scim.examples.ts has examples. resource/document.ts reads bodies, more leniently than these.
import { z } from 'zod';
import { objectOf } from '../../validation/fields.js';
import { type Attribute, groupSchema, type Schema, userSchema } from './resource/schemas.js';

const text = (description: string, max = 1000) => z.string().max(max).describe(description);
const urn = z.string().max(200);
const schemas = z.array(urn).max(10).describe('URNs of the schemas.');

const meta = objectOf('About the resource.', {
  resourceType: text('Type of the resource.', 100),
  created: z.iso.datetime().max(40).describe('Time of creation.'),
  lastModified: z.iso.datetime().max(40).describe('Time of the last change.'),
  location: text('URL of the resource.', 2000),
  version: text('Version, an entity tag.', 100),
});

function shapeOf({ type, description, isMultiValued, subs = [] }: Attribute): z.ZodType {
  const one =
    type === 'boolean'
      ? z.boolean()
      : type === 'string'
        ? z.string().max(1000)
        : z.strictObject(Object.fromEntries(subs.map((sub) => [sub.name, shapeOf(sub).optional()])));
  return (isMultiValued === true ? z.array(one).max(10_000) : one).describe(description);
}

const attributesOf = ({ attributes, extension }: Schema): Record<string, z.ZodType> => ({
  ...Object.fromEntries(attributes.map((attribute) => [attribute.name, shapeOf(attribute).optional()])),
  ...(extension !== undefined && {
    [extension.urn]: z.strictObject(attributesOf(extension)).optional().describe(extension.description),
  }),
});

/** The shape of a resource as it is sent; all of it is optional, as requests choose attributes. */
function resourceBody(schema: Schema) {
  return z
    .strictObject({
      schemas,
      id: text('Id here.', 100),
      ...attributesOf(schema),
      meta: meta.optional(),
    })
    .meta({ id: `Scim${schema.name}`, description: schema.description });
}

/** The shape of a resource as it is received. */
function resourceInput(schema: Schema) {
  return z.strictObject({ schemas, ...attributesOf(schema) }).meta({
    id: `Scim${schema.name}Input`,
    description: `${schema.description} Unknown attributes are ignored.`,
  });
}

/** The shape of a page. */
function listBody(name: string, item: z.ZodType) {
  return z
    .strictObject({
      schemas,
      totalResults: z.int().min(0).max(2_147_483_647).describe('All that match.'),
      startIndex: z.int().min(1).max(2_147_483_647).describe('Index of the first one.'),
      itemsPerPage: z.int().min(0).max(200).describe('How many the page has.'),
      Resources: z.array(item).max(200).describe('The page.'),
    })
    .meta({ id: `Scim${name}List`, description: 'A page (RFC 7644, section 3.4.2).' });
}

/** The shape of a PATCH. */
export const patchInput = z
  .strictObject({
    schemas,
    Operations: z
      .array(
        z.strictObject({
          op: text('add, replace or remove, in any case.', 10),
          path: text('The attribute, perhaps with a filter of its values.', 2000).optional(),
          value: z.unknown().optional().describe('The value; without a path, an object of attributes.'),
        }),
      )
      .min(1)
      .max(200)
      .describe('Operations, applied in order, all or none.'),
  })
  .meta({ id: 'ScimPatch', description: 'Changes of a resource (RFC 7644, section 3.5.2).' });

const supported = (description: string) =>
  z.strictObject({ supported: z.boolean().describe('Whether it is.') }).describe(description);

/** The shape of ServiceProviderConfig. */
export const configBody = z
  .strictObject({
    schemas,
    patch: supported('PATCH.'),
    bulk: z
      .strictObject({
        supported: z.boolean().describe('Whether it is.'),
        maxOperations: z.int().min(0).max(1000).describe('Operations at most.'),
        maxPayloadSize: z.int().min(0).max(10_000_000).describe('Bytes at most.'),
      })
      .describe('Bulk operations.'),
    filter: z
      .strictObject({
        supported: z.boolean().describe('Whether they are.'),
        maxResults: z.int().min(0).max(1000).describe('Resources of a page at most.'),
      })
      .describe('Filters.'),
    changePassword: supported('Changes of passwords.'),
    sort: supported('Sorting.'),
    etag: supported('Entity tags.'),
    authenticationSchemes: z
      .array(
        z.strictObject({
          type: text('Kind of scheme.', 100),
          name: text('Name.', 100),
          description: text('What it is.'),
          primary: z.boolean().describe('Whether it is preferred.'),
        }),
      )
      .max(10)
      .describe('How directories prove who they are.'),
    meta: z
      .strictObject({ resourceType: text('Type.', 100), location: text('URL.', 2000) })
      .describe('About the configuration.'),
  })
  .meta({ id: 'ScimServiceProviderConfig', description: 'What the server can do.' });

const about = objectOf('About it.', { resourceType: text('Type.', 100), location: text('URL.', 2000) });

/** The shape of a ResourceType. */
export const resourceTypeBody = z
  .strictObject({
    schemas,
    id: text('Id.', 100),
    name: text('Name.', 100),
    description: text('What it is.'),
    endpoint: text('Path of its resources.', 100),
    schema: urn.describe('URN of its schema.'),
    schemaExtensions: z
      .array(
        z.strictObject({
          schema: urn.describe('URN of the extension.'),
          required: z.boolean().describe('Whether each resource has it.'),
        }),
      )
      .max(10)
      .describe('Extensions.'),
    meta: about,
  })
  .meta({ id: 'ScimResourceType', description: 'A type of resources.' });

const described = {
  name: text('Name.', 100),
  type: text('Type of its values.', 20),
  multiValued: z.boolean().describe('Whether it has several values.'),
  description: text('What it is.'),
  required: z.boolean().describe('Whether it must be given.'),
  mutability: text('Whether it can be written.', 20),
  returned: text('When it is sent.', 20),
  uniqueness: text('Where it is unique.', 20),
  caseExact: z.boolean().optional().describe('Whether case matters.'),
};

/** The shape of a Schema. */
export const schemaBody = z
  .strictObject({
    schemas,
    id: urn.describe('URN.'),
    name: text('Name.', 100),
    description: text('What it is.'),
    attributes: z
      .array(
        z.strictObject({
          ...described,
          subAttributes: z
            .array(z.strictObject(described))
            .max(50)
            .optional()
            .describe('Its own attributes.'),
        }),
      )
      .max(100)
      .describe('Attributes.'),
    meta: about,
  })
  .meta({ id: 'ScimSchema', description: 'A schema of resources (RFC 7643, section 7).' });

/** The shape of ResourceTypes. */
export const resourceTypesBody = listBody('ResourceType', resourceTypeBody);
/** The shape of Schemas. */
export const schemasBody = listBody('Schema', schemaBody);

/** Shapes of a type of resources: one, a page of them, and as they are received. */
export interface ResourceShapes {
  one: z.ZodType;
  page: z.ZodType;
  input: z.ZodType;
}

function shapesOf(schema: Schema): ResourceShapes {
  const one = resourceBody(schema);
  return { one, page: listBody(schema.name, one), input: resourceInput(schema) };
}

/** Shapes of groups. */
export const groupShapes = shapesOf(groupSchema);

/** Shapes of users. */
export const userShapes = shapesOf(userSchema);
