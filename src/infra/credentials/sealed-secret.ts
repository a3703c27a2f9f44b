// Seals secrets that the server must read again (second factors, signing secrets of webhooks) for the database.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/**
 * Seals a secret for the database. First byte: 0 for plain, 1 for AES-256-GCM (nonce, tag, text), bound to its owner.
 * @param ownerId id of the row that the secret belongs to
 * @param key 32 bytes; without it the secret stays plain
 */
export function sealSecret(ownerId: string, secret: Buffer, key: Buffer | undefined): Buffer {
  if (key === undefined) return Buffer.concat([Buffer.of(0), secret]);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(ownerId));
  const text = Buffer.concat([cipher.update(secret), cipher.final()]);
  return Buffer.concat([Buffer.of(1), nonce, cipher.getAuthTag(), text]);
}

/**
 * Opens a sealed secret.
 * @param setting name of the setting that holds the key
 * @throws Error when the key is missing or wrong
 */
export function unsealSecret(
  ownerId: string,
  sealed: Buffer,
  key: Buffer | undefined,
  setting: string,
): Buffer {
  if (sealed[0] === 0) return sealed.subarray(1);
  if (key === undefined) throw new Error(`${setting} is required: secrets are encrypted with it`);
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 13))
    .setAAD(Buffer.from(ownerId))
    .setAuthTag(sealed.subarray(13, 29));
  return Buffer.concat([decipher.update(sealed.subarray(29)), decipher.final()]);
}
