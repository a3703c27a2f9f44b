// Lists every REST route of the product, for mounting and for the documentation.
import { authRoutes } from '../features/auth/auth.routes.js';
import { exportRoutes } from '../features/export/export.routes.js';
import { healthRoutes } from '../features/health/health.routes.js';
import { importRoutes } from '../features/import/import.routes.js';
import { passkeyRoutes } from '../features/passkey/passkey.routes.js';
import type { ScimRouteServices } from '../features/scim/directory.routes.js';
import { scimRoutes } from '../features/scim/scim.routes.js';
import { type SsoRouteServices, ssoRoutes } from '../features/sso/sso.routes.js';
import { workloadRoutes } from '../features/workload/workload.routes.js';
import type { Route } from '../rest/route.js';

/** The services that REST routes call. */
export type RouteServices = Parameters<typeof authRoutes>[0] &
  Parameters<typeof passkeyRoutes>[0] &
  SsoRouteServices &
  Parameters<typeof workloadRoutes>[0] &
  ScimRouteServices & {
    health: Parameters<typeof healthRoutes>[0];
    imports: Parameters<typeof importRoutes>[0];
    exports: Parameters<typeof exportRoutes>[0];
  };

/** Every REST route. Handlers call the services; listing the routes does not. */
export function allRoutes(services: RouteServices): Route[] {
  return [
    ...authRoutes(services),
    ...passkeyRoutes(services),
    ...ssoRoutes(services),
    ...workloadRoutes(services),
    ...importRoutes(services.imports),
    ...exportRoutes(services.exports),
    ...scimRoutes(services),
    ...healthRoutes(services.health),
  ];
}
