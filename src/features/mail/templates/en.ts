// The mails in English: the subject, an empty line, the text. docs/mail.md lists the placeholders.
import type { Templates } from '../mail.kinds.js';

export const en: Templates = {
  INVITATION: `Subject: Your account at {{server}}

Hello {{name}},

an account has been created for you at
{{server}}

Choose your password here:
{{link}}

The link works once, until {{expires}}.
You then sign in with {{email}}.

If you did not expect this mail, you can ignore it.
`,
  PASSWORD_RESET: `Subject: Choose a new password

Hello {{name}},

someone asked for a new password for your account {{email}} at
{{server}}

Choose it here:
{{link}}

The link works once, until {{expires}}. Your present password stays
valid until then. Choosing a new one ends all of your sessions.

If it was not you, ignore this mail: nothing has changed.
`,
  NEW_DEVICE: `Subject: Sign-in on a new device

Hello {{name}},

your account {{email}} at
{{server}}
was signed in to on a device that it has not been used on before.

Time:    {{time}}
Address: {{address}}

If it was you, there is nothing to do.
If it was not you, change your password at once: that ends all other
sessions. Then tell your administrator.
`,
  API_KEY_EXPIRING: `Subject: Your API key {{key}} ends soon

Hello {{name}},

your API key {{key}} ({{prefix}}…) at
{{server}}
ends at {{expires}}.

Rotate it before then, so that the programs that use it go on working.
`,
  ACCOUNT_LOCKED: `Subject: Your account was locked for a while

Hello {{name}},

someone entered a wrong password for your account {{email}} at
{{server}}
several times, so sign-ins are refused for a while.

Time:    {{time}}
Address: {{address}}

The lock ends by itself, in 15 minutes at the latest; your sessions and
API keys go on working. If it was not you, someone may be guessing your
password. You get this mail once a day at most.
`,
};
