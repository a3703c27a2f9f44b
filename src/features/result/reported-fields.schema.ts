// The fields that a result and its finding have in common in GraphQL: what a scanner reports of a weakness.
import { builder } from '../../graphql/schema-kit/builder.js';
import type { ReadsColumns } from '../../graphql/schema-kit/selected-columns.js';
import type { LocationInput } from './result.input.js';
import type { ResultRow } from './result.service.js';

const Location = builder.objectRef<LocationInput>('Location').implement({
  description: 'Location of a result; fields that do not apply are null.',
  fields: (t) => ({
    path: t.exposeString('path', {
      extensions: { weight: { bytes: 2000 } },
      nullable: true,
      description: 'File, relative to the repository or image.',
    }),
    startLine: t.exposeInt('startLine', { nullable: true, description: 'First line, from 1.' }),
    startColumn: t.exposeInt('startColumn', { nullable: true, description: 'First column, from 1.' }),
    endLine: t.exposeInt('endLine', { nullable: true, description: 'Last line.' }),
    endColumn: t.exposeInt('endColumn', { nullable: true, description: 'Last column.' }),
    url: t.exposeString('url', {
      extensions: { weight: { bytes: 4000 } },
      nullable: true,
      description: 'URL of the request.',
    }),
    method: t.exposeString('method', { nullable: true, description: 'HTTP method.' }),
    parameter: t.exposeString('parameter', { nullable: true, description: 'Parameter, header or field.' }),
    component: t.exposeString('component', {
      nullable: true,
      description: 'Package or component, with its version.',
    }),
    host: t.exposeString('host', { nullable: true, description: 'Host.' }),
  }),
});

/** The columns of these fields. */
type Reported = Pick<
  ResultRow,
  | 'ruleId'
  | 'cweIds'
  | 'cveIds'
  | 'cvssVector'
  | 'cvssScore'
  | 'location'
  | 'remediation'
  | 'references'
  | 'tags'
>;
type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer T> ? T : never;

/**
 * Creates the fields for one type.
 * @param place description of `location`
 */
export function reportedFields(t: PothosSchemaTypes.ObjectFieldBuilder<Types, Reported>, place: string) {
  return {
    ruleId: t.exposeString('ruleId', {
      extensions: { weight: { bytes: 1200 } },
      nullable: true,
      description: 'Rule or check of the tool.',
    }),
    cweIds: t.exposeIntList('cweIds', { description: 'CWE numbers.' }),
    cveIds: t.exposeStringList('cveIds', {
      extensions: { weight: { bytes: 3000 } },
      description: 'CVE ids.',
    }),
    cvssVector: t.exposeString('cvssVector', {
      extensions: { weight: { bytes: 1600 } },
      nullable: true,
      description: 'CVSS vector, version 2.0 to 4.0.',
    }),
    cvssScore: t.exposeFloat('cvssScore', { nullable: true, description: 'CVSS score, 0.0 to 10.0.' }),
    location: t.field({
      type: Location,
      nullable: true,
      description: place,
      extensions: { columns: ['location'] } satisfies ReadsColumns,
      resolve: ({ location }) => location as LocationInput | null,
    }),
    remediation: t.exposeString('remediation', {
      extensions: { weight: { bytes: 20_000 } },
      nullable: true,
      description: 'How to fix it.',
    }),
    references: t.exposeStringList('references', {
      extensions: { weight: { bytes: 400_000 } },
      description: 'Further reading.',
    }),
    tags: t.exposeStringList('tags', {
      extensions: { weight: { bytes: 20_000 } },
      description: 'Free labels.',
    }),
  };
}
