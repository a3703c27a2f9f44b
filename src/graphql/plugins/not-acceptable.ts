// Yoga plugin: gives 406, which Yoga sends without a body, an error that says what to accept. It meets only subscriptions
// here: http/preflight.ts refuses every other unacceptable request before it is executed.
import type { Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import { logRefusal } from '../../infra/logging/security-events.js';
import { errorText, notAcceptable } from '../http/preflight.js';

/** Creates the plugin. */
export function explainNotAcceptable(log: Logger): Plugin {
  return {
    onResponse({ response, setResponse, fetchAPI }) {
      if (response.status !== 406 || response.body !== null) return;
      const error = notAcceptable();
      logRefusal(log, error, undefined);
      const headers = { 'Content-Type': 'application/json; charset=utf-8' };
      setResponse(new fetchAPI.Response(errorText(error), { status: 406, headers }));
    },
  };
}
