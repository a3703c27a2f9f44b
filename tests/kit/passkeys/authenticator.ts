// An authenticator in software, with the browser in front of it: makes keys and signs as WebAuthn Level 3 has it, or wrongly
// where a test asks for that.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isoCBOR } from '@simplewebauthn/server/helpers';

/** What a ceremony may do wrong. */
export interface Deviation {
  origin?: string;
  rpId?: string;
  challenge?: string;
  type?: string;
  crossOrigin?: boolean;
  /** Whether the authenticator asked for a PIN or a finger. */
  isUserVerified?: boolean;
  isUserPresent?: boolean;
  counter?: number;
  userHandle?: string | null;
  /** Of an enrolment: the attestation's format and statement. */
  attestation?: { format: string; statement: Map<string, unknown> };
}

/** Options of a creation as the server sends them. */
interface CreationOptions {
  challenge: string;
  rp: { id: string };
  user: { id: string };
}

/** Options of a request as the server sends them. */
interface RequestOptions {
  challenge: string;
  rpId: string;
}

const algorithms = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
};

/** An algorithm of keys. */
export type Algorithm = keyof typeof algorithms;

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest();

/** Flags of an authenticator's data. */
const [present, verified, attested] = [0x01, 0x04, 0x40];

/** An authenticator with one credential at most. */
export class Authenticator {
  readonly credentialId = randomBytes(32).toString('base64url');
  /** Uses so far; 0 for good where it does not count. */
  counter = 0;
  private readonly key: { publicKey: KeyObject; privateKey: KeyObject };
  private userHandle = '';

  /**
   * @param origin of the page that asks
   * @param counts whether it counts its signatures, as security keys do
   */
  constructor(
    private readonly origin: string,
    private readonly counts = true,
    private readonly algorithm: Algorithm = 'ES256',
  ) {
    this.key = algorithms[algorithm]();
  }

  /** Makes the credential: the answer of `navigator.credentials.create()`. */
  create(options: CreationOptions, deviation: Deviation = {}) {
    this.userHandle = options.user.id;
    const length = Buffer.alloc(2);
    const id = Buffer.from(this.credentialId, 'base64url');
    length.writeUInt16BE(id.length);
    const authData = Buffer.concat([
      this.dataOf(deviation.rpId ?? options.rp.id, deviation, attested as number),
      Buffer.alloc(16),
      length,
      id,
      this.coseKey(),
    ]);
    const { format, statement } = deviation.attestation ?? { format: 'none', statement: new Map() };
    const attestationObject = isoCBOR.encode(
      new Map<string, unknown>([
        ['fmt', format],
        ['attStmt', statement],
        ['authData', Uint8Array.from(authData)],
      ]) as never, // the type of values is not exported
    );
    return {
      ...this.named(),
      response: {
        clientDataJSON: this.clientData('webauthn.create', options.challenge, deviation),
        attestationObject: Buffer.from(attestationObject).toString('base64url'),
        transports: ['usb'],
      },
    };
  }

  /** Signs: the answer of `navigator.credentials.get()`. */
  get(options: RequestOptions, deviation: Deviation = {}) {
    if (this.counts) this.counter += 1;
    const authData = this.dataOf(deviation.rpId ?? options.rpId, deviation);
    const clientDataJSON = this.clientData('webauthn.get', options.challenge, deviation);
    const signed = Buffer.concat([authData, sha256(Buffer.from(clientDataJSON, 'base64url'))]);
    const digest = this.algorithm === 'EdDSA' ? null : 'sha256';
    const userHandle = deviation.userHandle === undefined ? this.userHandle : deviation.userHandle;
    return {
      ...this.named(),
      response: {
        clientDataJSON,
        authenticatorData: authData.toString('base64url'),
        signature: sign(digest, signed, this.key.privateKey).toString('base64url'),
        userHandle,
      },
    };
  }

  private named() {
    const { credentialId: id } = this;
    return {
      id,
      rawId: id,
      type: 'public-key',
      clientExtensionResults: {},
      authenticatorAttachment: 'platform',
    };
  }

  private dataOf(rpId: string, deviation: Deviation, more = 0): Buffer {
    const { isUserPresent = true, isUserVerified = true } = deviation;
    const flags =
      more | (isUserPresent ? (present as number) : 0) | (isUserVerified ? (verified as number) : 0);
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(deviation.counter ?? this.counter);
    return Buffer.concat([sha256(rpId), Buffer.from([flags]), counter]);
  }

  private clientData(type: string, challenge: string, deviation: Deviation): string {
    const data = {
      type: deviation.type ?? type,
      challenge: deviation.challenge ?? challenge,
      origin: deviation.origin ?? this.origin,
      crossOrigin: deviation.crossOrigin ?? false,
    };
    return Buffer.from(JSON.stringify(data)).toString('base64url');
  }

  /** The public key as COSE has it (RFC 9053). */
  private coseKey(): Buffer {
    const { x = '', y = '', n = '', e = '' } = this.key.publicKey.export({ format: 'jwk' });
    const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64url'));
    const members: Record<Algorithm, [number, number | Uint8Array][]> = {
      ES256: [
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, bytes(x)],
        [-3, bytes(y)],
      ],
      EdDSA: [
        [1, 1],
        [3, -8],
        [-1, 6],
        [-2, bytes(x)],
      ],
      RS256: [
        [1, 3],
        [3, -257],
        [-1, bytes(n)],
        [-2, bytes(e)],
      ],
    };
    return Buffer.from(isoCBOR.encode(new Map(members[this.algorithm])));
  }
}
