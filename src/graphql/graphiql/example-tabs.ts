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

const worstFindings = `# The worst findings that are open:
# put a project's key into the variables.
# Without it: of all projects.
query WorstOpenFindings($project: String) {
  findings(
    first: 20
    filter: {
      project: $project
      triage: [OPEN, CONFIRMED]
    }
    orderBy: { field: SEVERITY, direction: DESC }
  ) {
    totalCount
    nodes {
      id
      severity
      title
      ruleId
      target
      location {
        path
        startLine
        url
      }
      triage
      dueAt
      assignee {
        name
      }
    }
  }
}`;

const newSinceLastWeek = `# Findings that runs saw for the first time
# since $since. Leave it out: this page fills in
# the time a week ago.
query NewSinceLastWeek($since: DateTime) {
  findings(
    first: 20
    filter: { firstSeenAfter: $since }
    orderBy: { field: FIRST_SEEN, direction: DESC }
  ) {
    totalCount
    nodes {
      severity
      title
      target
      triage
      firstSeenAt
      firstSeenIn {
        id
        name
      }
    }
  }
}`;

const compareRuns = `# What one run has of another run's findings:
# put the ids of two executions of one target
# into the variables. Without them this page
# takes the two newest of one target.
query CompareTwoRuns($base: ID!, $head: ID!) {
  compareExecutions(base: $base, head: $head) {
    new(first: 10) {
      totalCount
      nodes {
        severity
        title
      }
    }
    fixed(first: 10) {
      totalCount
      nodes {
        severity
        title
      }
    }
    unchanged {
      totalCount
    }
    reopened {
      totalCount
    }
  }
}`;

const trend = `# Open findings and their change, week by week.
query Trend($project: String) {
  statistics(
    filter: {
      project: $project
      bucket: WEEK
      timeZone: "Europe/Berlin"
    }
  ) {
    open {
      critical
      high
      medium
      low
    }
    overdue
    meanSecondsToResolve
    byBucket {
      from
      opened
      closed
      open {
        critical
        high
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
  { query: worstFindings, variables: '{}' },
  { query: newSinceLastWeek, variables: '{}' },
  { query: compareRuns, variables: '{}' },
  { query: trend, variables: '{}' },
];
