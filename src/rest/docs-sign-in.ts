// The script of /docs that offers the identity providers: after a sign-in there, "Try it out" sends the access token.

/** Runs in the page, after Swagger UI. The token stays in the page's memory. */
export const docsSignIn = `
(() => {
  const auth = '../api/v1/auth/'; // relative, so that it works under a sub-path of a proxy
  const bar = document.createElement('nav');
  const message = document.createElement('span');
  const say = (text) => { message.textContent = text; bar.hidden = false; };

  /** Ends a sign-in: the page came back with a one-time code, or an error. */
  const comeBack = async () => {
    const query = new URLSearchParams(location.search);
    const [code, error] = [query.get('code'), query.get('error')];
    if (!code && !error) return;
    history.replaceState(null, '', location.pathname);
    if (error) return say('The sign-in failed: ' + error.replaceAll('_', ' ') + '.');
    const redeem = async (more) => {
      const headers = { 'Content-Type': 'application/json' };
      const response = await fetch(auth + 'oidc/token', { method: 'POST', headers, body: JSON.stringify({ code, ...more }) });
      return response.json();
    };
    let answer = await redeem();
    if (answer.code === 'SECOND_FACTOR_REQUIRED') {
      const secondFactorCode = prompt('Enter a code of your authenticator app, or a recovery code.');
      if (secondFactorCode) answer = await redeem({ secondFactorCode });
    }
    if (!answer.accessToken) return say(answer.detail);
    window.ui.preauthorizeApiKey('accessToken', answer.accessToken);
    say('Signed in as ' + answer.user.name + ' (' + answer.user.role.toLowerCase() + ').');
  };

  const offerProviders = async () => {
    const response = await fetch(auth + 'providers');
    for (const { id, name } of (await response.json()).providers ?? []) {
      // No link: Swagger UI's link that skips to the operations has to stay the first of the page.
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = 'Sign in with ' + name;
      button.onclick = () => {
        location.href = auth + 'oidc/' + id + '?returnTo=' + encodeURIComponent(location.pathname);
      };
      bar.insertBefore(button, message);
      bar.hidden = false;
    }
  };

  addEventListener('load', () => {
    bar.id = 'sign-in';
    bar.hidden = true;
    bar.setAttribute('aria-label', 'Sign in');
    message.setAttribute('role', 'status');
    bar.append(message);
    document.body.prepend(bar);
    const unreachable = () => say('The server cannot be reached.');
    comeBack().catch(unreachable);
    offerProviders().catch(unreachable);
  });
})();
`;
