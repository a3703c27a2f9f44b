// The shape of OIDC_PROVIDERS: the identity providers that users sign in with. features/sso uses them.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { type Role, roles } from '../core/permissions.js';
import { type ProjectRole, projectRoles } from '../core/project-access.js';

/** An identity provider (OpenID Connect) and what its users may do here. */
export interface OidcProvider {
  /** Names the provider in URLs and the audit trail. */
  id: string;
  /** Shown on sign-in pages. */
  name: string;
  /** The issuer, exactly as the provider's metadata and tokens have it. */
  issuer: string;
  clientId: string;
  /** Absent for a public client. */
  clientSecret?: string | undefined;
  scopes: readonly string[];
  /** The claim with the user's groups: its name, or a path with dots. */
  groupsClaim: string;
  /** Group → role. */
  roles: Readonly<Record<string, Role>>;
  /** Group → key of a project → role there. */
  projects: Readonly<Record<string, Readonly<Record<string, ProjectRole>>>>;
  /** Whether the first sign-in creates an account; otherwise only invited users get in. */
  provision: boolean;
  /** Whether a verified e-mail address joins an identity to an account that exists. */
  joinByEmail: boolean;
  /** Whether a sign-in at the provider counts as one with a second factor, also without `amr`. */
  trustSecondFactor: boolean;
  /** Whether the issuer may use http. */
  allowInsecure: boolean;
  /** Where the provider sends the browser after a logout; registered there. */
  postLogoutRedirectUri?: string | undefined;
}

/** The provider of directories (SCIM) that have no identity provider in the settings. */
export const scimOnly = 'scim';

const maxProviders = 20;
const group = z.string().min(1, { error: 'to have no empty group' }).max(512);
const key = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, { error: 'to name projects by key' });
const flag = z.boolean({ error: 'to be true or false' });

const provider = z
  .strictObject(
    {
      id: z
        .string({ error: 'to be a text' })
        .regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, { error: 'to be 1 to 32 of a-z, 0-9 and hyphens' })
        .refine((id) => id !== 'token', {
          error: 'to be another word than token, which is a path of the API',
        }),
      name: z.string({ error: 'to be a text' }).min(1).max(100, { error: 'to have at most 100 characters' }),
      issuer: z
        .string({ error: 'to be a URL' })
        .refine((value) => /^https?:\/\//.test(value) && URL.canParse(value), {
          error: 'to be a URL that begins with https://',
        }),
      clientId: z.string({ error: 'to be a text' }).min(1, { error: 'not to be empty' }).max(500),
      clientSecret: z.string().min(1, { error: 'not to be empty' }).max(4096).optional(),
      clientSecretFile: z.string().min(1, { error: 'to be a path' }).optional(),
      scopes: z
        .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/), { error: 'to be a list of scopes' })
        .refine((list) => list.includes('openid'), { error: 'to include openid' })
        .default(['openid', 'profile', 'email']),
      groupsClaim: z.string().min(1).max(200).default('groups'),
      roles: z.record(group, z.enum(roles, { error: `to be one of ${roles.join(', ')}` })).default({}),
      projects: z
        .record(
          group,
          z.record(key, z.enum(projectRoles, { error: `to be one of ${projectRoles.join(', ')}` })),
        )
        .default({}),
      provision: flag.default(true),
      joinByEmail: flag.default(false),
      trustSecondFactor: flag.default(false),
      allowInsecure: flag.default(false),
      postLogoutRedirectUri: z.url({ error: 'to be a URL' }).optional(),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys' ? `not to have ${issue.keys?.join(', ')}` : 'to be an object',
    },
  )
  .superRefine((value, context) => {
    const fault = faultOf(value);
    if (fault !== undefined) context.addIssue({ code: 'custom', path: [fault[0]], message: fault[1] });
  })
  .transform(({ clientSecretFile, ...value }, context): OidcProvider => {
    if (clientSecretFile === undefined) return value;
    try {
      const clientSecret = readFileSync(clientSecretFile, 'utf8').replace(/\r?\n$/, '');
      if (clientSecret !== '') return { ...value, clientSecret };
      context.addIssue({ code: 'custom', path: ['clientSecretFile'], message: 'not to name an empty file' });
    } catch (error) {
      const message = `to name a readable file (${(error as NodeJS.ErrnoException).code})`;
      context.addIssue({ code: 'custom', path: ['clientSecretFile'], message });
    }
    return z.NEVER;
  });

interface Given {
  issuer: string;
  allowInsecure: boolean;
  clientSecret?: string | undefined;
  clientSecretFile?: string | undefined;
}

/** The field that is wrong beside the others, and what is expected of it. */
function faultOf({
  issuer,
  allowInsecure,
  clientSecret,
  clientSecretFile,
}: Given): [string, string] | undefined {
  if (issuer.startsWith('http:') && !allowInsecure)
    return ['issuer', 'to begin with https://, unless allowInsecure is true'];
  if (/[?#]/.test(issuer)) return ['issuer', 'to have no query and no fragment'];
  if (clientSecret !== undefined && clientSecretFile !== undefined)
    return ['clientSecret', 'to be absent where clientSecretFile is given'];
  return undefined;
}

const providers = z
  .array(provider, { error: 'a JSON list of providers' })
  .max(maxProviders, { error: `at most ${maxProviders} providers` })
  .refine((list) => new Set(list.map(({ id }) => id)).size === list.length, {
    error: 'each id to be used once',
  })
  .refine(
    (list) => new Set(list.map(({ issuer, clientId }) => `${issuer} ${clientId}`)).size === list.length,
    {
      error: 'each issuer and clientId to be used once',
    },
  );

/** @returns a shape that accepts a JSON list of identity providers, and gives them with their defaults. */
export function oidcProviders() {
  return z.string().transform((value, context): OidcProvider[] => {
    const parsed = providers.safeParse(parsedJson(value));
    if (parsed.success) return parsed.data;
    for (const { path, message } of parsed.error.issues)
      context.addIssue({ code: 'custom', message: inWords(path, message) });
    return z.NEVER;
  });
}

function inWords(path: readonly PropertyKey[], message: string): string {
  const [index, ...rest] = path;
  if (typeof index !== 'number') return message;
  const field = rest.length === 0 ? '' : `${rest.map(String).join('.')} `;
  return `provider ${index + 1}: ${field}${message}`;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
