// The sign-in bar of the GraphiQL page: its look, its HTML and the script that signs in and adds tokens to requests. What it
// does with passkeys is in passkey-panel.ts.
import { passkeyPanel, passkeyScript, passkeyStyle } from './passkey-panel.js';

export const style = `
  body { display: flex; flex-direction: column; height: 100vh; height: 100dvh; margin: 0; }
  body > main { flex: 1; min-height: 0; }
  body #root .graphiql-container { height: 100%; }
  body #root .graphiql-logo { display: none; }
  /* Dragging leaves tabs an old translateX, to which they jump under the pointer: the click would miss them. */
  body #root .graphiql-tab { transform: none !important; }
  /* All ready-made tabs fit side by side from 1200 pixels on. */
  body #root .graphiql-tab-button { font-size: 13px; min-width: 88px; padding-left: 6px; padding-right: 18px; }
  body #root .graphiql-tab-active .graphiql-tab-button { padding-right: 42px; }
  body #root .graphiql-tab-close { min-width: 24px; min-height: 24px; }
  /* Numbers of answers, on the grey of their window. */
  body #root .result-window .mtk8 { color: #066b45; }
  body #root .graphiql-doc-explorer a { color: #8a4b00; text-decoration: underline; }
  body #root .graphiql-doc-explorer .graphiql-doc-explorer-root-type,
  body #root .graphiql-doc-explorer .graphiql-doc-explorer-field-name { color: #0059a8; }
  #sign-in { padding: 8px 16px; display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center;
    font: 14px/1.4 system-ui, sans-serif; background: #1f2937; color: #f9fafb; }
  #sign-in h1 { margin: 0 auto 0 0; font-size: 15px; }
  #sign-in a { color: inherit; }
  #sign-in form { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; margin: 0; }
  #sign-in [hidden] { display: none; }
  #sign-in label { display: flex; gap: 6px; align-items: center; }
  #sign-in input { box-sizing: border-box; width: 190px; font: inherit; padding: 4px 8px; border: 1px solid #9ca3af; border-radius: 4px; background: #fff; color: #111827; }
  #sign-in button { font: inherit; padding: 4px 12px; border: 1px solid #f9fafb; border-radius: 4px; background: #f9fafb; color: #111827; cursor: pointer; }
  #sign-in-providers { display: flex; flex-wrap: wrap; gap: 8px 12px; }
  #sign-in button:disabled { opacity: 0.6; cursor: progress; }
  #sign-in :focus-visible { outline: 2px solid #93c5fd; outline-offset: 2px; }
  #sign-in-message:empty { display: none; }
  #sign-in-message { color: #fecaca; }
  ${passkeyStyle}
  @media (max-width: 700px) {
    #sign-in form { width: 100%; }
    #sign-in label { flex: 1 1 100%; justify-content: space-between; }
    #sign-in input { flex: 0 1 70%; font-size: 16px; }
    #sign-in #sign-out-form { justify-content: space-between; }
    body #root #graphiql-session { flex-direction: column; }
    body #root #graphiql-session > .graphiql-horizontal-drag-bar { display: none; }
    body #root #graphiql-session > .graphiql-response { min-height: 35%; }
    body #root .graphiql-sidebar { width: 44px; }
    body #root .graphiql-main { flex-direction: column; }
    body #root .graphiql-main > .graphiql-plugin { flex: 0 0 45% !important; min-width: 0; max-width: none; overflow: auto; }
    body #root .graphiql-main > .graphiql-horizontal-drag-bar { display: none; }
    body #root .graphiql-main > .graphiql-sessions { min-height: 0; }
  }
`;

export const bar = `
  <header id="sign-in">
    <h1>SEC-TESTER API</h1>
    <span id="sign-in-message" role="status" aria-live="polite"></span>
    <form id="sign-in-form">
      <label>E-mail <input name="email" type="email" autocomplete="username" required></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
      <label id="sign-in-code" hidden>Code <input name="code" inputmode="numeric" autocomplete="one-time-code"></label>
      <button>Sign in</button>
      <button type="button" id="passkey-sign-in" hidden>Sign in with a passkey</button>
      <span id="sign-in-providers"></span>
    </form>
    <form id="sign-out-form" hidden>
      <span id="signed-in-as"></span>
      <button type="button" id="passkeys-toggle" aria-expanded="false" aria-controls="passkeys" hidden>Passkeys</button>
      <button>Sign out</button>
    </form>
    ${passkeyPanel}
  </header>
`;

// Runs in the page. Tokens stay in this tab's session storage and travel in headers and bodies, never in the address.
export const script = `
(() => {
  const key = 'sec-tester.session';
  // Relative, so that it works under a sub-path of a proxy: the page is at /graphql and at /api/v1/graphql.
  const auth = (/\\/api\\/v1\\/graphql$/.test(location.pathname) ? '' : 'api/v1/') + 'auth/';
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

  const send = async (method, path, body, token) => {
    const headers = { ...(body && { 'Content-Type': 'application/json' }), ...(token && { Authorization: 'Bearer ' + token }) };
    const response = await realFetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(() => {
      throw new Error('The server cannot be reached.');
    });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    const wait = response.headers.get('Retry-After');
    const detail = answer.detail || 'The server answered ' + response.status + '.';
    throw Object.assign(new Error(wait ? detail + ' Try again in ' + wait + ' s.' : detail), { code: answer.code });
  };

  const post = (path, body, token) => send('POST', path, body, token);

  const freshToken = async () => {
    const session = read();
    if (!session) return undefined;
    if (session.expiresAt - Date.now() > 30000) return session.accessToken;
    refreshing ??= post(auth + 'refresh', { refreshToken: session.refreshToken })
      .then(write, (error) => {
        // A server that is away for a moment ends no session.
        if (error.code) write(null);
        say(error.message);
      })
      .finally(() => { refreshing = undefined; });
    await refreshing;
    return read()?.accessToken;
  };

  /** The two newest completed executions of one target, the older one first. */
  const twoRuns = async (url, headers) => {
    const query = '{ executions(first: 50, filter: { status: [COMPLETED] }, orderBy: { field: FINISHED_AT, direction: DESC }) ' +
      '{ nodes { id target project { key } } } }';
    const response = await realFetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) });
    const nodes = (await response.json()).data?.executions?.nodes ?? [];
    const older = new Map();
    for (const [at, { target, project }] of nodes.entries()) {
      const place = project.key + ' ' + target;
      if (older.has(place)) return { base: nodes[at].id, head: older.get(place) };
      older.set(place, nodes[at].id);
    }
    return {};
  };

  /** Fills in the variables of the ready-made tabs that the user leaves out. */
  const filled = async (url, headers, body) => {
    const user = read()?.user;
    if (!user || typeof body !== 'string') return body;
    const asks = (name, type) => new RegExp('[$]' + name + ' *: *' + type + '[^A-Za-z]').test(body);
    const request = JSON.parse(body);
    const given = request.variables ?? {};
    const variables = {
      ...(asks('me', 'ID') && { me: user.id }),
      ...(asks('since', 'DateTime') && { since: new Date(Date.now() - 7 * 86400000).toISOString() }),
      ...(asks('base', 'ID') && asks('head', 'ID') && !given.base && !given.head && (await twoRuns(url, headers))),
    };
    return JSON.stringify({ ...request, variables: { ...variables, ...given } });
  };

  window.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input, location.href);
    const isOurs = url.origin === location.origin && /\\/graphql$/.test(url.pathname);
    if (!isOurs) return realFetch(input, init);
    const headers = new Headers(init?.headers || (input instanceof Request ? input.headers : undefined));
    const token = headers.has('Authorization') ? undefined : await freshToken();
    if (token) headers.set('Authorization', 'Bearer ' + token);
    const body = init?.body && (await filled(url, headers, init.body));
    return realFetch(input, { ...init, headers, ...(body && { body }) });
  };

  const $ = (id) => document.getElementById(id);
  const say = (text) => { $('sign-in-message').textContent = text; };
  const show = () => {
    const session = read();
    $('sign-in-form').hidden = Boolean(session);
    $('sign-out-form').hidden = !session;
    if (!session) showPanel(false);
    $('signed-in-as').textContent = session ? 'Signed in as ' + session.user.name + ' (' + session.user.role.toLowerCase() + ')' : '';
  };

  const forgetForm = () => {
    $('sign-in-form').reset();
    $('sign-in-code').hidden = true;
  };

  ${passkeyScript}

  const signIn = async (form) => {
    const { email, password, code } = form;
    try {
      write(await post(auth + 'login', {
        email: email.value,
        password: password.value,
        ...(code.value && { code: code.value }),
      }));
      forgetForm();
    } catch (error) {
      const asksForCode = error.code === 'SECOND_FACTOR_REQUIRED';
      say(asksForCode ? 'Enter a code of your authenticator app, or a recovery code; or sign in with a passkey.' : error.message);
      // It stays after a wrong code: the server does not say what was wrong.
      $('sign-in-code').hidden &&= !asksForCode;
      code.value = '';
      if (!asksForCode) password.value = '';
      (asksForCode ? code : password).focus();
    }
  };

  /** Ends a sign-in at an identity provider: the page came back with a one-time code, or an error. */
  const comeBack = async () => {
    const query = new URLSearchParams(location.search);
    const [code, error] = [query.get('code'), query.get('error')];
    if (!code && !error) return;
    history.replaceState(null, '', location.pathname);
    if (error) return say('The sign-in failed: ' + error.replaceAll('_', ' ') + '.');
    const redeem = (more) => post(auth + 'oidc/token', { code, ...more });
    await redeem()
      .catch((failure) => {
        if (failure.code !== 'SECOND_FACTOR_REQUIRED') throw failure;
        const secondFactorCode = prompt('Enter a code of your authenticator app, or a recovery code. Leave it empty to use a passkey.');
        if (secondFactorCode) return redeem({ secondFactorCode });
        if (secondFactorCode === null || !hasPasskeys) throw failure;
        return askForPasskey().then((passkey) => redeem({ passkey }));
      })
      .then(write, (failure) => say(failure.message));
  };

  /** A link for each identity provider of the server. */
  const offerProviders = async () => {
    const response = await realFetch(auth + 'providers').catch(() => undefined);
    if (!response?.ok) return;
    for (const { id, name } of (await response.json()).providers) {
      const link = document.createElement('a');
      link.href = auth + 'oidc/' + id + '?returnTo=' + encodeURIComponent(location.pathname);
      link.textContent = 'Sign in with ' + name;
      $('sign-in-providers').append(link);
    }
  };

  document.addEventListener('DOMContentLoaded', () => {
    show();
    comeBack();
    offerProviders();
    offerPasskeys();
    $('sign-in-form').addEventListener('submit', attempt(signIn));
    $('sign-out-form').addEventListener('submit', async (event) => {
      event.preventDefault();
      const token = await freshToken();
      write(null);
      say('');
      if (token) await post(auth + 'logout', {}, token).catch(() => {});
    });
  });
})();
`;
