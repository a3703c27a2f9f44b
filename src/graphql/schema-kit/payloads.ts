// Payloads that several features share.
import { builder } from './builder.js';

/** Payload of deletions. */
export const DeletePayload = builder.objectRef<{ deletedId: string }>('DeletePayload').implement({
  description: 'A deletion.',
  fields: (t) => ({ deletedId: t.exposeID('deletedId', { description: 'Id of the deleted object.' }) }),
});
