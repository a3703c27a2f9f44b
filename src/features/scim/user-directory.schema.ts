// Which directory has a user, in GraphQL: a field of User.
import { builder } from '../../graphql/schema-kit/builder.js';
import { orNull } from '../../graphql/schema-kit/field-options.js';

builder.prismaObjectFields('User', (t) => ({
  directory: t.string({
    ...orNull(
      'Id of the identity provider whose directory manages the account over SCIM, or "scim"; null if no directory does. Visible to admins.',
    ),
    authScopes: { can: 'user:read' },
    resolve: ({ id }, _args, { loaders }) => loaders.directories.load(id),
  }),
}));
