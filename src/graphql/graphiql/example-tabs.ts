// The ready-made tabs of GraphiQL: what an analyst asks first. How the page is made is in page.ts.

const myLastExecutions = `# Sign in above, then run with the pink button.
# The book on the left explains every field.
# Leave $me out: this page fills in your id.
query MyLastExecutions($me: ID) {
  executions(
    first: 10
    filter: { createdById: $me }
  ) {
    totalCount
    nodes {
      id
      name
      target
      kind
      status
      progress
      severityCounts {
        critical
        high
        medium
        low
        info
        total
      }
      createdAt
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}`;

const criticalResults = `# The worst results of one execution:
# put its id into the variables below.
# Without it: of all executions.
query CriticalResults($executionId: ID) {
  results(
    first: 20
    filter: {
      severity: [CRITICAL, HIGH]
      executionId: $executionId
    }
    orderBy: { field: SEVERITY, direction: DESC }
  ) {
    totalCount
    nodes {
      title
      severity
      cvssScore
      cweIds
      location {
        path
        startLine
        url
        component
      }
      remediation
      execution {
        id
        name
      }
    }
  }
}`;

const liveProgress = `# Changes of all executions, as they happen.
# Stop with the same button.
subscription LiveProgress {
  executionsChanged {
    type
    at
    execution {
      id
      name
      status
      progress
      phase
      severityCounts {
        total
        critical
        high
      }
    }
  }
}`;

const compareSeverities = `# How bad the latest finished executions were,
# side by side.
query CompareSeverities {
  executions(
    first: 10
    filter: { status: [COMPLETED] }
    orderBy: { field: FINISHED_AT, direction: DESC }
  ) {
    nodes {
      name
      target
      finishedAt
      severityCounts {
        critical
        high
        medium
        low
        info
        total
      }
    }
  }
}`;

/** In the order of the page. */
export const graphiqlTabs = [
  { query: myLastExecutions, variables: '{}' },
  { query: criticalResults, variables: '{}' },
  { query: liveProgress },
  { query: compareSeverities },
];
