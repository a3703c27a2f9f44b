// Starts the background jobs of an instance, and stops them together.
import { startSettling } from '../features/finding/runs/settle.js';
import { reportRun } from '../features/webhook/webhook.events.js';
import type { Infra } from '../infra/infra.js';
import type { Services } from './services.js';

/** Starts the jobs. @returns what stops them; it waits for what they are doing */
export function startJobs(
  {
    apiKeys,
    runners,
    seals,
    findings,
    webhooks,
    mails,
    retention,
    imports,
    executions,
    statistics,
  }: Services,
  { config, db, bulk, log, now, metrics }: Infra,
): () => Promise<void> {
  const settling = startSettling({ db, bulk, log, reportRun, now });
  if (config.isMetricsEnabled) {
    const help = 'Ended executions whose results have not met the findings.';
    metrics.gauge('executions_unsettled', help, settling.left, undefined, 'max');
  }
  executions.onEvent(({ execution }) => {
    if (executions.isFinal(execution)) settling.wake();
  });
  const stops = [
    runners.startReaper(),
    seals.startSealer(),
    apiKeys.startExpiryNotices(),
    findings.startKeeper(),
    webhooks.startDelivering(),
    mails.start(),
    retention.start(),
    imports.start(),
    settling.stop,
    ...(config.isMetricsEnabled ? [statistics.figures.start()] : []),
  ];
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}
