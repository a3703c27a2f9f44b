// Turns events of webhooks into messages of Slack, Teams and mail. What a report wrote is text in them, never markup.

const shown = 5;
const colours = {
  CRITICAL: 'attention',
  HIGH: 'attention',
  MEDIUM: 'warning',
  LOW: 'default',
  INFO: 'default',
};

/**
 * The headline of an event.
 * @param {{ type: string, data: any }} event
 */
export function headlineOf({ type, data }) {
  const findings = `${data.total} finding${data.total === 1 ? '' : 's'}`;
  const headlines = {
    'import.completed': () =>
      `Report imported: ${data.newFindings} new, ${data.absentFindings} gone on ${data.target}`,
    'finding.new': () => `${findings} new`,
    'finding.reopened': () => `${findings} seen again`,
    'finding.overdue': () => `${findings} overdue`,
    'execution.started': () => `Started: ${data.name} on ${data.target}`,
    'execution.completed': () => `Completed: ${data.name} on ${data.target}`,
    'execution.failed': () => `${data.status}: ${data.name} on ${data.target}`,
    'triage.changed': () => `${data.actor} decided about ${findings}`,
  };
  return `[${data.project}] ${headlines[type]?.() ?? type}`;
}

/** The worst findings of an event, a line each, and how many more there are. */
function linesOf({ data }) {
  const { findings = [], total = 0 } = data;
  const lines = findings.slice(0, shown).map((finding) => ({
    severity: finding.severity,
    text: [
      finding.title,
      finding.path,
      finding.dueAt && `due ${finding.dueAt.slice(0, 10)}`,
      finding.to && `now ${finding.to}`,
    ]
      .filter(Boolean)
      .join(' · '),
  }));
  return { lines, more: total - lines.length };
}

/** A message of Slack's incoming webhooks: blocks, and a text for notifications. */
export function slackOf(event) {
  const { lines, more } = linesOf(event);
  const list = lines.map(({ severity, text }) => `*${severity}* ${slackText(text)}`);
  if (more > 0) list.push(`and ${more} more`);
  const headline = headlineOf(event);
  return {
    text: slackText(headline),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: headline.slice(0, 150) } },
      ...(list.length > 0
        ? [{ type: 'section', text: { type: 'mrkdwn', text: list.join('\n').slice(0, 3000) } }]
        : []),
    ],
  };
}

/** Slack's three special characters; formatting characters get a zero-width space, which ends them. */
const slackText = (text) =>
  text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/[*_~`]/g, '$&\u200b');

/** A message of a Teams workflow: an adaptive card. */
export function teamsOf(event) {
  const { lines, more } = linesOf(event);
  const block = (text, options = {}) => ({
    type: 'TextBlock',
    text: plainCard(text),
    wrap: true,
    ...options,
  });
  const body = [
    block(headlineOf(event), { weight: 'Bolder', size: 'Medium' }),
    ...lines.map(({ severity, text }) =>
      block(`${severity} · ${text}`, { color: colours[severity] ?? 'default' }),
    ),
    ...(more > 0 ? [block(`and ${more} more`, { isSubtle: true })] : []),
  ];
  const card = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    body,
  };
  return {
    type: 'message',
    attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', content: card }],
  };
}

/** Cards read Markdown; a backslash makes its characters text. */
const plainCard = (text) => text.replace(/[\\`*_[\]()#>]/g, '\\$&');

/**
 * A mail in RFC 822 with one part of plain text.
 * @param {{ type: string, timestamp: string, data: any }} event @param {string} to
 */
export function mailOf(event, to) {
  const { lines, more } = linesOf(event);
  const text = [headlineOf(event), '', ...lines.map((line) => `${line.severity}  ${line.text}`)];
  if (more > 0) text.push(`and ${more} more`);
  const base64 = Buffer.from(text.join('\r\n')).toString('base64');
  return [
    `To: ${oneLine(to)}`,
    'From: sec-tester@example.com',
    `Subject: ${encodedWords(headlineOf(event))}`,
    `Date: ${new Date(event.timestamp).toUTCString().replace('GMT', '+0000')}`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    '',
    ...(base64.match(/.{1,76}/g) ?? []),
    '',
  ].join('\r\n');
}

const oneLine = (text) => text.replace(/[\r\n]+/g, ' ');

/** RFC 2047: words of at most 75 characters, so that no line of a report becomes a header of its own. */
function encodedWords(text) {
  const parts = [...oneLine(text).slice(0, 200)].reduce(
    (words, letter) => {
      const last = words.at(-1) + letter;
      if (Buffer.byteLength(last) > 42) words.push(letter);
      else words[words.length - 1] = last;
      return words;
    },
    [''],
  );
  return parts.map((part) => `=?utf-8?B?${Buffer.from(part).toString('base64')}?=`).join('\r\n ');
}
