// The GraphiQL page: Yoga's offline bundle with a sign-in bar and ready-made tabs. Nothing is loaded from elsewhere.
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { GraphiQLOptions } from 'graphql-yoga';

const welcome = `# SEC-TESTER API. Sign in above, then run a tab with the pink button (Ctrl-Enter).
# Every type and field is described: open the docs with the book on the left.

query LatestExecutions {
  executions(first: 10) {
    totalCount
    nodes {
      id
      name
      target
      kind
      status
      progress
      severityCounts { critical high medium low info total }
      createdBy { name }
      createdAt
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

const criticalResults = `# The worst results, of all executions or of the one in the variables below.
query CriticalResults($executionId: ID) {
  results(
    first: 20
    filter: { severity: [CRITICAL, HIGH], executionId: $executionId }
    orderBy: { field: SEVERITY, direction: DESC }
  ) {
    totalCount
    nodes {
      title
      severity
      cvssScore
      cweIds
      location { path startLine url component }
      remediation
      execution { id name }
    }
  }
}`;

const liveProgress = `# Changes of all executions, as they happen. Stop with the same button.
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
      severityCounts { total critical high }
    }
  }
}`;

const compareSeverities = `# How bad the latest finished executions were, side by side.
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
      severityCounts { critical high medium low info total }
    }
  }
}`;

/** What GraphiQL is given. */
const graphiqlOptions: GraphiQLOptions = {
  title: 'SEC-TESTER API',
  credentials: 'same-origin',
  defaultQuery: welcome,
  defaultTabs: [
    { query: welcome },
    { query: criticalResults, variables: '{}' },
    { query: liveProgress },
    { query: compareSeverities },
  ],
  shouldPersistHeaders: false,
};

/**
 * Makes what sends the page. Its scripts run by their hashes: whatever else got into the page would not. Its editor
 * writes style sheets at run time, which only 'unsafe-inline' lets it do.
 */
export function createGraphiqlPage(): (response: ServerResponse) => Promise<void> {
  let made: Promise<{ html: Buffer; policy: string }> | undefined;
  return async (response) => {
    made ??= makePage();
    const { html, policy } = await made;
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.setHeader('Content-Security-Policy', policy);
    response.end(html);
  };
}

async function makePage(): Promise<{ html: Buffer; policy: string }> {
  // Megabytes that only those keep in memory who open the page.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL(graphiqlOptions)
    .trimStart()
    .replace('<div id="root"></div>', () => `${bar}<main id="root"></main>`)
    .replace('</head>', () => `<style>${style}</style><script>${script}</script></head>`);
  const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(
    ([, text]) =>
      `'sha256-${createHash('sha256')
        .update(text as string)
        .digest('base64')}'`,
  );
  const policy = [
    "default-src 'none'",
    `script-src ${scripts.join(' ')}`,
    "style-src 'unsafe-inline'",
    "img-src 'self' data:",
    'font-src data:',
    "connect-src 'self'",
    'worker-src blob:',
    "object-src 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return { html: Buffer.from(html), policy };
}

const style = `
  #sign-in { box-sizing: border-box; height: 48px; padding: 0 16px; display: flex; gap: 12px; align-items: center;
    font: 14px/1.4 system-ui, sans-serif; background: #1f2937; color: #f9fafb; }
  #sign-in strong { margin-right: auto; font-size: 15px; }
  #sign-in form { display: flex; gap: 12px; align-items: center; margin: 0; }
  #sign-in [hidden] { display: none; }
  #sign-in label { display: flex; gap: 6px; align-items: center; }
  #sign-in input { font: inherit; padding: 4px 8px; border: 1px solid #9ca3af; border-radius: 4px; background: #fff; color: #111827; }
  #sign-in button { font: inherit; padding: 4px 12px; border: 1px solid #f9fafb; border-radius: 4px; background: #f9fafb; color: #111827; cursor: pointer; }
  #sign-in-message { color: #fecaca; }
  body #root, body #root .graphiql-container { height: calc(100vh - 48px); }
`;

const bar = `
  <header id="sign-in">
    <strong>SEC-TESTER API</strong>
    <span id="sign-in-message" role="status" aria-live="polite"></span>
    <form id="sign-in-form">
      <label>E-mail <input name="email" type="email" autocomplete="username" required></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
      <button>Sign in</button>
    </form>
    <form id="sign-out-form" hidden>
      <span id="signed-in-as"></span>
      <button>Sign out</button>
    </form>
  </header>
`;

// Runs in the page. Tokens stay in this tab's session storage and travel in headers, never in the address.
const script = `
(() => {
  const key = 'sec-tester.session';
  const realFetch = window.fetch.bind(window);
  const read = () => JSON.parse(sessionStorage.getItem(key) || 'null');
  let refreshing;

  const write = (tokens) => {
    if (tokens) {
      sessionStorage.setItem(key, JSON.stringify({ ...tokens, expiresAt: Date.now() + tokens.expiresIn * 1000 }));
    } else {
      sessionStorage.removeItem(key);
    }
    show();
  };

  const post = async (path, body, token) => {
    const headers = { 'Content-Type': 'application/json' };
    if (token) headers.Authorization = 'Bearer ' + token;
    const response = await realFetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.detail || 'The server answered ' + response.status);
    return answer;
  };

  const freshToken = async () => {
    const session = read();
    if (!session) return undefined;
    if (session.expiresAt - Date.now() > 30000) return session.accessToken;
    refreshing ??= post('/api/v1/auth/refresh', { refreshToken: session.refreshToken })
      .then(write, (error) => { write(null); say(error.message); })
      .finally(() => { refreshing = undefined; });
    await refreshing;
    return read()?.accessToken;
  };

  window.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input, location.href);
    const isOurs = url.origin === location.origin && /\\/graphql$/.test(url.pathname);
    if (!isOurs) return realFetch(input, init);
    const headers = new Headers(init?.headers || (input instanceof Request ? input.headers : undefined));
    const token = headers.has('Authorization') ? undefined : await freshToken();
    if (token) headers.set('Authorization', 'Bearer ' + token);
    return realFetch(input, { ...init, headers });
  };

  const $ = (id) => document.getElementById(id);
  const say = (text) => { $('sign-in-message').textContent = text; };
  const show = () => {
    const session = read();
    $('sign-in-form').hidden = Boolean(session);
    $('sign-out-form').hidden = !session;
    $('signed-in-as').textContent = session ? 'Signed in as ' + session.user.name + ' (' + session.user.role.toLowerCase() + ')' : '';
  };

  document.addEventListener('DOMContentLoaded', () => {
    show();
    $('sign-in-form').addEventListener('submit', async (event) => {
      event.preventDefault();
      const form = event.target;
      say('');
      try {
        write(await post('/api/v1/auth/login', { email: form.email.value, password: form.password.value }));
      } catch (error) {
        say(error.message);
      }
      form.password.value = '';
    });
    $('sign-out-form').addEventListener('submit', async (event) => {
      event.preventDefault();
      const token = await freshToken();
      write(null);
      if (token) await post('/api/v1/auth/logout', {}, token).catch(() => {});
    });
  });
})();
`;
