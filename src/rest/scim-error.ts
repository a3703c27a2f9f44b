// Error bodies of SCIM (RFC 7644, section 3.12), which every path of SCIM answers with in place of problems.
import type { AppError, ScimType } from '../core/errors.js';

/** Where SCIM is. */
export const scimPath = '/scim/v2';

/** Media type of SCIM (RFC 7644, section 8.1). */
export const scimMediaType = 'application/scim+json';

/** The body of an error of SCIM. */
export interface ScimError {
  schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'];
  /** The HTTP status, as text. */
  status: string;
  scimType?: ScimType;
  detail: string;
}

/** Whether answers at a path are those of SCIM. */
export const isScimPath = (path: string): boolean => path === scimPath || path.startsWith(`${scimPath}/`);

/** The body of an error. A state that forbids a change is the standard's "mutability", with status 400. */
export function scimErrorOf({ status, message, scimType, code, fields }: AppError): ScimError {
  const fault = fields === undefined ? 'invalidSyntax' : 'invalidValue';
  const type = scimType ?? (code === 'VALIDATION_FAILED' ? fault : undefined);
  return {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
    status: String(type === 'mutability' ? 400 : status),
    ...(type !== undefined && { scimType: type }),
    detail: message,
  };
}
