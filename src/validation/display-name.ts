// Makes display names out of what other systems call people.

/** A display name as users of this server may have it: NFC, without control characters, at most 200 characters. */
export function displayNameOf(text: string): string {
  return text
    .normalize('NFC')
    .replace(/[\p{C}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '')
    .trim()
    .slice(0, 200)
    .replace(/\p{Cs}$/u, ''); // half of a character that the cut went through
}
