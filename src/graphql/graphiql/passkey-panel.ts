// Passkeys on the GraphiQL page: the panel that lists, adds, renames and removes them, and the button that signs in with one.
// Its script runs within that of sign-in-bar.ts.

export const passkeyStyle = `
  #passkeys { flex: 1 1 100%; max-height: 50vh; overflow: auto; padding: 8px 0; border-top: 1px solid #4b5563; }
  #passkeys h2 { margin: 0 0 8px; font-size: 14px; }
  #passkeys ul { margin: 0 0 8px; padding: 0; list-style: none; }
  #passkeys li { margin: 0 0 8px; }
  #passkeys small { color: #d1d5db; font-size: 13px; }
  #passkey-codes p { margin: 8px 0 4px; }
  #passkey-codes ul { columns: 170px; max-width: 700px; margin: 0; font: 13px/1.6 ui-monospace, monospace; }
  #passkey-codes li { margin: 0; white-space: nowrap; }
  @media (max-width: 700px) {
    #sign-in #passkeys li button, #sign-in #passkey-add button { flex: 1; }
    #sign-in #passkeys small, #sign-in #signed-in-as { flex: 1 1 100%; }
  }
`;

export const passkeyPanel = `
    <section id="passkeys" aria-labelledby="passkeys-title" hidden>
      <h2 id="passkeys-title">Your passkeys</h2>
      <ul id="passkey-list"></ul>
      <form id="passkey-add">
        <label>Name of a new one <input name="name" maxlength="100" placeholder="Work laptop" required></label>
        <button>Add a passkey</button>
      </form>
      <div id="passkey-codes" hidden>
        <p>Keep these recovery codes: they are not shown again. After your password, each replaces a passkey once.</p>
        <ul></ul>
      </div>
    </section>`;

// Uses send, post, freshToken, write, say, auth and $ of the script around it.
export const passkeyScript = `
  const hasPasskeys = Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON);

  /** Sentences for the browser's refusals. */
  const refusals = {
    NotAllowedError: 'No passkey was given: it was cancelled, took too long, or there is none for this server.',
    InvalidStateError: 'This authenticator holds a passkey of yours already.',
  };

  /** Gets options from the server and an answer of an authenticator to them. */
  const ask = async (path, token, answer) => {
    const { state, options } = await post(auth + 'passkeys/' + path + '/options', {}, token);
    const credential = await answer(options).catch((error) => {
      const domain = options.rpId || options.rp.id;
      throw new Error(error.name === 'SecurityError'
        ? 'Passkeys of this server work on ' + domain + ' only, and not on ' + location.hostname + '.'
        : refusals[error.name] || error.message);
    });
    return { state, response: credential.toJSON() };
  };

  const askForPasskey = () => ask('login', undefined, (options) =>
    navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }));

  /** Runs what a button or form of passkeys does, once at a time, and says why it failed. */
  const attempt = (work) => async (event) => {
    event.preventDefault();
    const button = event.submitter ?? event.currentTarget;
    button.disabled = true;
    say('');
    await work(event.target).catch((error) => say(error.message));
    button.disabled = false;
  };

  const signInWithPasskey = async () => {
    write(await post(auth + 'passkeys/login/verify', await askForPasskey()));
    forgetForm();
  };

  const addPasskey = async (form) => {
    const token = await freshToken();
    const answer = await ask('enrolment', token, (options) =>
      navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }));
    const { recoveryCodes } = await post(auth + 'passkeys/enrolment/verify', { ...answer, name: form.name.value }, token);
    form.reset();
    await listPasskeys();
    showCodes(recoveryCodes);
  };

  const showCodes = (codes) => {
    $('passkey-codes').hidden = codes.length === 0;
    $('passkey-codes').querySelector('ul').replaceChildren(...codes.map((code) => {
      const line = document.createElement('li');
      line.textContent = code;
      return line;
    }));
  };

  const changePasskey = async (id, change, body) => {
    await post(auth + 'passkeys/' + id + '/' + change, body, await freshToken());
    await listPasskeys();
  };

  /** A line of the list. Names come as text, never as HTML. */
  const lineOf = ({ id, name, lastUsedAt }) => {
    const line = document.createElement('li');
    line.innerHTML = '<form><label>Name <input name="name" maxlength="100" required></label><button>Rename</button><button type="button">Remove</button><small></small></form>';
    const form = line.firstChild;
    const [rename, remove] = form.querySelectorAll('button');
    form.name.value = name;
    rename.setAttribute('aria-label', 'Rename ' + name);
    remove.setAttribute('aria-label', 'Remove ' + name);
    line.querySelector('small').textContent = lastUsedAt ? 'Last used ' + new Date(lastUsedAt).toLocaleString() : 'Not used yet';
    form.addEventListener('submit', attempt(() => changePasskey(id, 'rename', { name: form.name.value })));
    remove.addEventListener('click', attempt(async () => {
      if (confirm('Remove the passkey ' + name + '?')) await changePasskey(id, 'remove', {});
    }));
    return line;
  };

  const listPasskeys = async () => {
    const { passkeys } = await send('GET', auth + 'passkeys', undefined, await freshToken());
    $('passkey-list').replaceChildren(...passkeys.map(lineOf));
  };

  const showPanel = (isShown) => {
    $('passkeys').hidden = !isShown;
    $('passkeys-toggle').setAttribute('aria-expanded', String(isShown));
    showCodes([]);
  };

  const offerPasskeys = () => {
    for (const id of ['passkey-sign-in', 'passkeys-toggle']) $(id).hidden = !hasPasskeys;
    $('passkey-sign-in').addEventListener('click', attempt(signInWithPasskey));
    $('passkey-add').addEventListener('submit', attempt(addPasskey));
    $('passkeys-toggle').addEventListener('click', attempt(async () => {
      if ($('passkeys').hidden) await listPasskeys();
      showPanel($('passkeys').hidden);
    }));
  };
`;
