// The page behind the links of invitations and resets: it takes a password and sends it with the token. The token is in the
// address's fragment, which browsers send to no server, and leaves the address at once.
import { createHash } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import { AppError } from '../core/errors.js';
import { noteRoute } from './mount.js';

const style = `
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f3f4f6; color: #111827;
    font: 16px/1.5 system-ui, sans-serif; }
  main { box-sizing: border-box; width: min(100%, 420px); padding: 24px; background: #fff; border-radius: 8px; }
  h1 { margin: 0 0 16px; font-size: 20px; }
  label { display: block; margin: 12px 0; }
  input { box-sizing: border-box; display: block; width: 100%; margin-top: 4px; padding: 8px; font: inherit; border: 1px solid #6b7280;
    border-radius: 4px; }
  button { margin-top: 8px; padding: 8px 16px; font: inherit; color: #fff; background: #1d4ed8; border: 0; border-radius: 4px;
    cursor: pointer; }
  button:disabled { opacity: 0.6; cursor: progress; }
  :focus-visible { outline: 2px solid #1d4ed8; outline-offset: 2px; }
  [role=status]:empty { display: none; }
  [role=status] { margin: 12px 0 0; }
  .is-wrong { color: #b91c1c; }
`;

// Runs in the page.
const script = `
(() => {
  const words = {
    en: { title: 'Choose a password', next: 'New password', again: 'The same again', save: 'Save',
      rule: '15 to 128 characters, none of the common passwords.', differ: 'The two entries differ.',
      done: 'The password is set. You can sign in with it now.', none: 'This page needs the link from your mail.',
      spent: 'The link cannot be used: it was used, replaced or has expired. Ask for a new one.',
      busy: 'Too many attempts: try again in a minute.', failed: 'That did not work: try again later.' },
    de: { title: 'Passwort wählen', next: 'Neues Passwort', again: 'Noch einmal dasselbe', save: 'Speichern',
      rule: '15 bis 128 Zeichen, keines der häufigen Passwörter.', differ: 'Die beiden Eingaben sind verschieden.',
      done: 'Das Passwort ist gesetzt. Sie können sich jetzt damit anmelden.', none: 'Diese Seite braucht den Link aus Ihrer Mail.',
      spent: 'Der Link gilt nicht: Er wurde benutzt, ersetzt oder ist abgelaufen. Fordern Sie einen neuen an.',
      busy: 'Zu viele Versuche: Versuchen Sie es in einer Minute noch einmal.', failed: 'Das hat nicht geklappt: Versuchen Sie es später noch einmal.' },
  };
  const language = /^de\\b/i.test(navigator.language) ? 'de' : 'en';
  const text = words[language];
  const [, token] = /(sti_[A-Za-z0-9_-]{43})$/.exec(location.hash) || [];
  history.replaceState(null, '', location.pathname);
  addEventListener('hashchange', () => location.reload()); // another link in the same tab

  const start = () => {
    const form = document.querySelector('form');
    const [next, again] = form.querySelectorAll('input');
    const button = form.querySelector('button');
    const status = document.querySelector('[role=status]');
    document.documentElement.lang = language;
    document.title = text.title;
    for (const element of document.querySelectorAll('[data-text]')) element.textContent = text[element.dataset.text];
    const say = (message, isWrong) => {
      status.textContent = message;
      status.className = isWrong ? 'is-wrong' : '';
    };
    if (!token) {
      form.hidden = true;
      return say(text.none, true);
    }
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      if (next.value !== again.value) return say(text.differ, true);
      button.disabled = true;
      try {
        const response = await fetch('api/v1/auth/password', {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ token, newPassword: next.value }),
        });
        const body = await response.json().catch(() => ({}));
        if (response.ok) {
          form.hidden = true;
          say(text.done, false);
        } else if (response.status === 401) say(text.spent, true);
        else if (response.status === 429) say(text.busy, true);
        else if (response.status === 400) say((body.errors || []).map(({ message }) => message).join('. ') || text.failed, true);
        else say(body.detail || text.failed, true);
      } catch {
        say(text.failed, true);
      }
      button.disabled = false;
    });
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
  else start();
})();
`;

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Choose a password</title>
<style>${style}</style>
<script>${script}</script>
</head>
<body>
<main>
<h1 data-text="title">Choose a password</h1>
<form>
<p data-text="rule"></p>
<label><span data-text="next">New password</span><input type="password" autocomplete="new-password" maxlength="1024" required></label>
<label><span data-text="again">The same again</span><input type="password" autocomplete="new-password" maxlength="1024" required></label>
<button data-text="save">Save</button>
</form>
<p role="status"></p>
</main>
</body>
</html>
`;

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

const policy =
  `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; connect-src 'self'; object-src 'none'; ` +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Serves /password. */
export function passwordPage(): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.all('/password', noteRoute('/password'), (request: Request, response: Response) => {
    if (request.method === 'GET' || request.method === 'HEAD') {
      response.setHeader('Content-Security-Policy', policy);
      response.type('html').send(page);
      return;
    }
    response.setHeader('Allow', 'GET, HEAD, OPTIONS');
    if (request.method !== 'OPTIONS') throw new AppError('METHOD_NOT_ALLOWED');
    response.status(204).end();
  });
  return router;
}
