// The mails in German: the subject, an empty line, the text. docs/mail.md lists the placeholders.
import type { Templates } from '../mail.kinds.js';

export const de: Templates = {
  INVITATION: `Subject: Ihr Konto bei {{server}}

Guten Tag {{name}},

für Sie wurde ein Konto angelegt bei
{{server}}

Wählen Sie hier Ihr Passwort:
{{link}}

Der Link gilt einmal, bis {{expires}}.
Danach melden Sie sich mit {{email}} an.

Falls Sie diese Mail nicht erwartet haben, können Sie sie ignorieren.
`,
  PASSWORD_RESET: `Subject: Neues Passwort wählen

Guten Tag {{name}},

jemand hat ein neues Passwort für Ihr Konto {{email}} angefordert bei
{{server}}

Wählen Sie es hier:
{{link}}

Der Link gilt einmal, bis {{expires}}. Ihr jetziges Passwort gilt bis
dahin weiter. Ein neues Passwort beendet alle Ihre Sitzungen.

Falls Sie das nicht waren, ignorieren Sie diese Mail: Nichts hat sich
geändert.
`,
  NEW_DEVICE: `Subject: Anmeldung auf einem neuen Gerät

Guten Tag {{name}},

mit Ihrem Konto {{email}} hat sich jemand angemeldet bei
{{server}}
auf einem Gerät, auf dem es bisher nicht verwendet wurde.

Zeit:    {{time}}
Adresse: {{address}}

Falls Sie das waren, ist nichts zu tun.
Falls nicht, ändern Sie sofort Ihr Passwort: Das beendet alle anderen
Sitzungen. Benachrichtigen Sie danach Ihre Administration.
`,
  API_KEY_EXPIRING: `Subject: Ihr API-Schlüssel {{key}} läuft bald ab

Guten Tag {{name}},

Ihr API-Schlüssel {{key}} ({{prefix}}…) bei
{{server}}
gilt nur noch bis {{expires}}.

Erneuern Sie ihn vorher, damit die Programme, die ihn verwenden,
weiterhin funktionieren.
`,
  ACCOUNT_LOCKED: `Subject: Ihr Konto war kurzzeitig gesperrt

Guten Tag {{name}},

jemand hat mehrmals ein falsches Passwort für Ihr Konto {{email}}
eingegeben bei
{{server}}
Anmeldungen werden deshalb vorübergehend abgelehnt.

Zeit:    {{time}}
Adresse: {{address}}

Die Sperre endet von selbst, spätestens nach 15 Minuten; Ihre Sitzungen
und API-Schlüssel funktionieren weiter. Falls Sie das nicht waren,
versucht vielleicht jemand, Ihr Passwort zu erraten. Diese Mail erhalten
Sie höchstens einmal am Tag.
`,
};
