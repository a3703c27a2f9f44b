// The part of the product's schema that the workloads use, for the peers whose schema is written by hand.

export const typeDefs = `
  type Query {
    execution(id: ID!): TestExecution
    executions(first: Int = 20, after: String): ExecutionConnection!
    results(filter: ResultFilter, first: Int = 20): ResultConnection!
  }
  type Mutation { addResults(input: AddResultsInput!): AddResultsPayload! }

  type ExecutionConnection { nodes: [TestExecution!]! pageInfo: PageInfo! }
  type ResultConnection { totalCount: Int! nodes: [TestResult!]! pageInfo: PageInfo! }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type User { id: ID! name: String! }
  type SeverityCounts { critical: Int! high: Int! medium: Int! low: Int! info: Int! total: Int! }
  type TestExecution {
    id: ID! name: String! target: String! kind: TestKind! status: ExecutionStatus! progress: Int!
    severityCounts: SeverityCounts! createdAt: DateTime! createdBy: User
    results(first: Int = 20): ResultConnection!
  }
  type TestResult {
    id: ID! title: String! description: String severity: Severity! ruleId: String cweIds: [Int!]! cvssScore: Float
    location: Location remediation: String references: [String!]! tags: [String!]! fingerprint: String!
    createdAt: DateTime!
  }
  type Location { path: String startLine: Int url: String }
  type AddResultsPayload { added: Int! duplicates: Int! }

  input ResultFilter { executionId: ID, severity: [Severity!] }
  input AddResultsInput { executionId: ID!, results: [ResultInput!]! }
  input ResultInput {
    title: String! description: String severity: Severity! ruleId: String cweIds: [Int!] cveIds: [String!]
    cvssVector: String location: LocationInput evidence: String remediation: String references: [String!]
    tags: [String!] fingerprint: String!
  }
  input LocationInput { path: String startLine: Int url: String }

  enum Severity { INFO LOW MEDIUM HIGH CRITICAL }
  enum TestKind { DAST SAST SCA SECRETS IAC CONTAINER MANUAL OTHER }
  enum ExecutionStatus { QUEUED RUNNING CANCEL_REQUESTED COMPLETED FAILED CANCELLED INTERRUPTED }
  scalar DateTime
`;

/** Names by rank, as the database keeps it. */
export const severities = ['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];

/** A page of the rows that were read, one more than asked for. */
export function pageOf(rows, first) {
  const nodes = rows.length > first ? rows.slice(0, first) : rows;
  return { nodes, pageInfo: { hasNextPage: rows.length > first, endCursor: nodes.at(-1)?.id ?? null } };
}
