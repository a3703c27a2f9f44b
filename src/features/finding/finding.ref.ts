// The GraphQL type of findings by name, so that results can refer to it; its fields are in finding.schema.ts.
import { builder } from '../../graphql/schema-kit/builder.js';
import type { FindingRow } from './finding.rows.js';

export const FindingType = builder.objectRef<FindingRow>('Finding');
