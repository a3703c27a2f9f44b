// The fields that a result and its finding have in common in GraphQL: what a scanner reports of a weakness.
import { builder } from '../../graphql/schema-kit/builder.js';
import { orNull, text, textOrNull } from '../../graphql/schema-kit/field-options.js';
import type { ReadsColumns } from '../../graphql/schema-kit/selected-columns.js';
import type { LocationInput } from './result.input.js';
import type { ResultRow } from './result.service.js';

const Location = builder.objectRef<LocationInput>('Location').implement({
  description: 'Location of a result; fields that do not apply are null.',
  fields: (t) => ({
    path: t.exposeString('path', textOrNull(2000, 'File, relative to the repository or image.')),
    startLine: t.exposeInt('startLine', orNull('First line, from 1.')),
    startColumn: t.exposeInt('startColumn', orNull('First column, from 1.')),
    endLine: t.exposeInt('endLine', orNull('Last line.')),
    endColumn: t.exposeInt('endColumn', orNull('Last column.')),
    url: t.exposeString('url', textOrNull(4000, 'URL of the request.')),
    method: t.exposeString('method', orNull('HTTP method.')),
    parameter: t.exposeString('parameter', orNull('Parameter, header or field.')),
    component: t.exposeString('component', orNull('Package or component, with its version.')),
    host: t.exposeString('host', orNull('Host.')),
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
    ruleId: t.exposeString('ruleId', textOrNull(1200, 'Rule or check of the tool.')),
    cweIds: t.exposeIntList('cweIds', { description: 'CWE numbers.' }),
    cveIds: t.exposeStringList('cveIds', text(3000, 'CVE ids.')),
    cvssVector: t.exposeString('cvssVector', textOrNull(1600, 'CVSS vector, version 2.0 to 4.0.')),
    cvssScore: t.exposeFloat('cvssScore', orNull('CVSS score, 0.0 to 10.0.')),
    location: t.field({
      type: Location,
      nullable: true,
      description: place,
      extensions: { columns: ['location'] } satisfies ReadsColumns,
      resolve: ({ location }) => location as LocationInput | null,
    }),
    remediation: t.exposeString('remediation', textOrNull(20_000, 'How to fix it.')),
    references: t.exposeStringList('references', text(400_000, 'Further reading.')),
    tags: t.exposeStringList('tags', text(20_000, 'Free labels.')),
  };
}
