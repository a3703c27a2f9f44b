// The GraphQL documents that the commands send, and the shapes of their responses.

export const severities = ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const;
export type Severity = (typeof severities)[number];
export const kinds = ['DAST', 'SAST', 'SCA', 'SECRETS', 'IAC', 'CONTAINER', 'MANUAL', 'OTHER'] as const;
export const statuses = [
  ...(['QUEUED', 'RUNNING', 'CANCEL_REQUESTED'] as const),
  ...(['COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED'] as const),
] as const;

export interface SeverityCounts {
  total: number;
  critical: number;
  high: number;
  medium: number;
  low: number;
  info: number;
}

export interface Execution {
  id: string;
  name: string;
  target: string;
  kind: string;
  status: (typeof statuses)[number];
  progress: number;
  phase: string | null;
  errorMessage: string | null;
  createdAt: string;
  finishedAt: string | null;
  severityCounts: SeverityCounts;
}

export interface ExecutionEvent {
  id: string;
  type: string;
  at: string;
  execution: Execution;
}

export interface Result {
  id: string;
  severity: Severity;
  title: string;
  ruleId: string | null;
  cweIds: number[];
  cveIds: string[];
  cvssScore: number | null;
  location: Record<string, string | number | null> | null;
  fingerprint: string;
  createdAt: string;
  execution: { id: string; name: string; target: string };
}

/** The outcome of a gate, as the server judges it. */
export interface JudgedGate {
  verdict: 'PASS' | 'FAIL';
  mode: 'ENFORCE' | 'LOG';
  enforcedVerdict: 'PASS' | 'FAIL';
  isComplete: boolean;
  reasons: string[];
  counts: SeverityCounts;
  base: { id: string; name: string } | null;
}

/** A finding. */
export interface Finding {
  id: string;
  severity: Severity;
  title: string;
  triage: string;
  presence: string;
  target: string;
  tool: string | null;
  ruleId: string | null;
  cweIds: number[];
  cveIds: string[];
  location: Record<string, string | number | null> | null;
  dueAt: string | null;
  firstSeenAt: string;
  lastSeenAt: string;
}

/** The receipt of an import. */
export interface Import {
  id: string;
  state: 'RUNNING' | 'COMPLETED' | 'FAILED';
  format: string;
  read: number;
  added: number;
  duplicates: number;
  skipped: number;
  skippedReasons: { reason: string; count: number }[];
  newFindings: number;
  unchangedFindings: number;
  reopenedFindings: number;
  absentFindings: number;
  counts: SeverityCounts;
  warnings: { message: string; pointer: string | null }[];
  warningCount: number;
  incomplete: string[];
  errorMessage: string | null;
  execution: { id: string; status: string; phase: string | null };
}

export interface Page<Node> {
  nodes: Node[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

/** An API key without its secret. */
export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  scopes: string[];
  createdAt: string;
  expiresAt: string;
  lastUsedAt: string | null;
  revokedAt: string | null;
  isReplaced: boolean;
}

const keyFields = 'id name prefix scopes createdAt expiresAt lastUsedAt revokedAt isReplaced';

const executionFields = `id name target kind status progress phase errorMessage createdAt finishedAt
  severityCounts { total critical high medium low info }`;

const resultFields = `id severity title ruleId cweIds cveIds vulnerabilityIds cvssScore fingerprint createdAt
  execution { id name target }
  location { path startLine startColumn endLine endColumn url method parameter host component }`;

const resultsQuery = (fields: string) => `
  query Results($filter: ResultFilter, $orderBy: ResultOrder, $first: Int, $after: String) {
    page: results(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
      nodes { ${fields} } pageInfo { hasNextPage endCursor }
    }
  }`;

const findingFields = `id severity title triage presence target tool ruleId cweIds cveIds dueAt firstSeenAt lastSeenAt
  location { path startLine startColumn endLine endColumn url method parameter host component }`;

export const queries = {
  me: 'query Me { me { id email name role } }',
  identity: 'query Identity { me { id name role } }',
  keys: `query Keys { me { apiKeys { ${keyFields} } } }`,
  createKey: `mutation CreateKey($input: CreateApiKeyInput!) {
    createApiKey(input: $input) { secret apiKey { ${keyFields} } }
  }`,
  rotateKey: `mutation RotateKey($input: RotateApiKeyInput!) {
    rotateApiKey(input: $input) { secret apiKey { ${keyFields} } }
  }`,
  keysOf: `query KeysOf($id: ID!) { user(id: $id) { apiKeys { ${keyFields} } } }`,
  revokeKey: `mutation RevokeKey($id: ID!) { revokeApiKey(id: $id) { apiKey { ${keyFields} } } }`,
  create: `mutation Create($input: CreateExecutionInput!) {
    createExecution(input: $input) { execution { ${executionFields} } }
  }`,
  execution: `query Execution($id: ID!) { execution(id: $id) { ${executionFields} } }`,
  gate: `query Gate($id: ID!, $policy: GatePolicy!) {
    gate(executionId: $id, policy: $policy) {
      verdict mode enforcedVerdict isComplete reasons counts { total critical high medium low info } base { id name }
    }
  }`,
  gateFindings: `query GateFindings($id: ID!, $policy: GatePolicy!, $first: Int, $after: String) {
    gate(executionId: $id, policy: $policy) {
      page: findings(first: $first, after: $after) { nodes { ${findingFields} } pageInfo { hasNextPage endCursor } }
    }
  }`,
  executions: `query Executions($filter: ExecutionFilter, $first: Int, $after: String) {
    page: executions(filter: $filter, first: $first, after: $after) {
      nodes { ${executionFields} } pageInfo { hasNextPage endCursor }
    }
  }`,
  import: `query Import($id: ID!) {
    import(id: $id) {
      id state format read added duplicates skipped skippedReasons { reason count } newFindings unchangedFindings reopenedFindings absentFindings
      counts { total critical high medium low info } warnings { message pointer } warningCount incomplete errorMessage
      execution { id status phase }
    }
  }`,
  results: resultsQuery(resultFields),
  /** With the long texts too. */
  wholeResults: resultsQuery(
    `${resultFields} description cvssVector evidence remediation references tags delta`,
  ),
  findings: `query Findings($filter: FindingFilter, $orderBy: FindingOrder, $first: Int, $after: String) {
    page: findings(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
      nodes { ${findingFields} }
      pageInfo { hasNextPage endCursor }
    }
  }`,
  events: `subscription Events($id: ID!, $after: ID) {
    executionEvents(executionId: $id, after: $after) { id type at execution { ${executionFields} } }
  }`,
} as const;
