// The key of a project as an input, for URLs, filters and command lines.
import { z } from 'zod';

/** 1 to 63 lower-case letters, digits and hyphens, as in a DNS label. */
export const projectKey = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'must be 1 to 63 of a-z, 0-9 and hyphens within');
