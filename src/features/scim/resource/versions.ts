// Versions of resources as entity tags (RFC 7644, section 3.14).
import { AppError } from '../../../core/errors.js';

/** Whether a header of entity tags names a version; weak and strong tags compare alike. */
export function namesVersion(header: string, version: string): boolean {
  const bare = (tag: string) => tag.trim().replace(/^W\//, '');
  return header.split(',').some((tag) => tag.trim() === '*' || bare(tag) === bare(version));
}

/** @throws PRECONDITION_FAILED when If-Match names other versions */
export function assertVersion(ifMatch: string | undefined, version: string): void {
  if (ifMatch !== undefined && !namesVersion(ifMatch, version)) throw new AppError('PRECONDITION_FAILED');
}
