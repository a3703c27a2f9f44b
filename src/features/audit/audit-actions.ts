// Names of audited actions in the log, from OWASP's Logging Vocabulary Cheat Sheet.

interface Words {
  success: string;
  /** When it was refused or failed; as success unless given. */
  otherwise?: string;
}

/** Action → event name in the log. A test fails on an action that is missing here. */
export const vocabulary: Readonly<Record<string, Words>> = {
  'auth.login': { success: 'authn_login_success', otherwise: 'authn_login_fail' },
  'auth.lock': { success: 'authn_login_lock' },
  'auth.refresh_reuse': { success: 'authn_token_reuse' },
  'auth.logout': { success: 'authn_token_revoked' },
  'auth.change_password': { success: 'authn_password_change', otherwise: 'authn_password_change_fail' },
  'session.revoke': { success: 'authn_token_revoked' },
  'session.revoke_all': { success: 'authn_token_revoked' },
  'session.limit_exceeded': { success: 'excess_sessions_exceeded' },
  'auth.request_reset': { success: 'user_updated', otherwise: 'authn_password_change_fail' },
  'auth.set_password': { success: 'authn_password_change' },
  'auth.provider_logout': { success: 'authn_token_revoked' },
  'identity.link': { success: 'user_updated' },
  'identity.unlink': { success: 'user_updated' },
  'group_mapping.set': { success: 'privilege_permissions_changed' },
  'group_mapping.delete': { success: 'privilege_permissions_changed' },
  'workload_trust.create': { success: 'privilege_permissions_changed' },
  'workload_trust.update': { success: 'privilege_permissions_changed' },
  'workload_trust.delete': { success: 'privilege_permissions_changed' },
  'auth.token_exchange': { success: 'authn_token_created', otherwise: 'authn_login_fail' },
  'second_factor.enrol': { success: 'user_updated' },
  'second_factor.confirm': { success: 'user_updated', otherwise: 'authn_login_fail' },
  'second_factor.remove': { success: 'user_updated', otherwise: 'authn_login_fail' },
  'passkey.create': { success: 'user_updated', otherwise: 'authn_login_fail' },
  'passkey.rename': { success: 'user_updated' },
  'passkey.remove': { success: 'user_updated' },
  'passkey.reuse': { success: 'authn_token_reuse' },
  'user.reset_password': { success: 'user_updated' },
  'user.resend_invitation': { success: 'user_updated' },
  'user.revoke_invitation': { success: 'user_updated' },
  'user.unlock': { success: 'user_updated' },
  'access.deny': { success: 'authz_fail' },
  'api_key.create': { success: 'authn_token_created' },
  'api_key.rotate': { success: 'authn_token_created' },
  'api_key.expiring': { success: 'sensitive_read' },
  'api_key.revoke': { success: 'authn_token_revoked' },
  'scim_token.create': { success: 'authn_token_created' },
  'scim_token.revoke': { success: 'authn_token_revoked' },
  'user.create': { success: 'user_created' },
  'user.create_service_account': { success: 'user_created' },
  'scim_group.create': { success: 'privilege_permissions_changed' },
  'scim_group.update': { success: 'privilege_permissions_changed' },
  'scim_group.delete': { success: 'privilege_permissions_changed' },
  'user.provision': { success: 'user_updated' },
  'user.adopt': { success: 'user_updated' },
  'user.update': { success: 'user_updated' },
  'user.activate': { success: 'user_updated' },
  'user.deactivate': { success: 'user_archived' },
  'user.delete': { success: 'user_deleted' },
  'project.create': { success: 'sensitive_create' },
  'project.update': { success: 'sensitive_update' },
  'project.archive': { success: 'sensitive_update' },
  'project.delete': { success: 'sensitive_delete' },
  'project.set_member': { success: 'privilege_permissions_changed' },
  'execution.create': { success: 'sensitive_create' },
  'execution.rerun': { success: 'sensitive_create' },
  'execution.add_results': { success: 'sensitive_create' },
  'execution.start': { success: 'sensitive_update' },
  'execution.claim': { success: 'sensitive_update' },
  'execution.complete': { success: 'sensitive_update' },
  'execution.fail': { success: 'sensitive_update' },
  'execution.cancel': { success: 'sensitive_update' },
  'execution.interrupt': { success: 'sensitive_update' },
  'finding.triage': { success: 'sensitive_update' },
  'finding.expire_acceptance': { success: 'sensitive_update' },
  'execution.hold': { success: 'sensitive_update' },
  'execution.release': { success: 'sensitive_update' },
  'execution.expire': { success: 'sensitive_delete' },
  'execution.delete': { success: 'sensitive_delete' },
  'webhook.create': { success: 'sensitive_create' },
  'webhook.set_active': { success: 'sensitive_update' },
  'webhook.redeliver': { success: 'sensitive_update' },
  'webhook.switch_off': { success: 'sensitive_update' },
  'webhook.delete': { success: 'sensitive_delete' },
  'gate_policy.set': { success: 'sensitive_update' },
  'gate_policy.delete': { success: 'sensitive_delete' },
  'report.import': { success: 'sensitive_create' },
};

/** The event name of something audited. A change of someone's role has a word of its own. */
export function wordOf(
  action: string,
  outcome: 'SUCCESS' | 'DENIED' | 'FAILURE',
  changes: Record<string, unknown> | undefined,
): string {
  if (action === 'user.update' && changes?.role !== undefined) return 'privilege_permissions_changed';
  const words = vocabulary[action];
  const otherwise = words?.otherwise ?? words?.success;
  return (outcome === 'SUCCESS' ? words?.success : otherwise) ?? 'audited';
}
