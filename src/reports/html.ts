// Texts of reports that are written in HTML, as plain text.

const entities = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
]);

const maxLength = 100_000;

/** The text of HTML with its paragraphs, items and line breaks as lines; null when nothing is left. */
export function textFromHtml(html: string | null | undefined): string | null {
  if (html == null) return null;
  const bounded = html.slice(0, maxLength);
  const text = /[<&]/.test(bounded) ? decodeEntities(withoutTags(bounded)) : bounded;
  return (
    text
      .replace(/[ \t]{1,100}\n/g, '\n')
      .replace(/\n{3,}/g, '\n\n')
      .trim() || null
  );
}

function withoutTags(html: string): string {
  return html
    .replace(/<li\b[^<>]{0,500}>/gi, '\n- ')
    .replace(/<br\b[^<>]{0,20}>/gi, '\n')
    .replace(/<\/(?:p|div|ul|ol|pre|h[1-6]|tr)>/gi, '\n\n')
    .replace(
      /<\/?(?:p|div|ul|ol|li|pre|h[1-6]|b|i|u|a|em|strong|code|span|table|tbody|tr|td|th)\b[^<>]{0,2000}>/gi,
      '',
    );
}

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,6}));/gi, (found, decimal, hex, name) => {
    if (name !== undefined) return entities.get(String(name).toLowerCase()) ?? found;
    const code = decimal === undefined ? Number.parseInt(String(hex), 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : found;
  });
}

/** The web addresses in a text or in the links of HTML, each once. */
export function addressesIn(text: string | null | undefined): string[] {
  return [...new Set((text ?? '').slice(0, 100_000).match(/https?:\/\/[^\s"'<>\\]{1,2000}/gi) ?? [])];
}
