// OpenTelemetry traces, sent by OTLP over HTTP. Its packages are loaded only where traces are switched on.

import type {
  Context,
  DiagLogger,
  Attributes as OtelAttributes,
  Span as OtelSpan,
  Tracer,
} from '@opentelemetry/api';
import type { Sampler, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';

/** What a span tells; never a value that a client sent, nor a secret. */
type Attributes = Readonly<Record<string, string | number>>;

/** A stretch of work within a trace. */
export interface Span {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** Whether it still takes children and attributes: it does until it ends, if it is sampled at all. */
  isOpen: () => boolean;
  /** Begins a part of it; `client` for calls of another server. */
  child: (name: string, kind: 'internal' | 'client', attributes: Attributes) => Span;
  set: (attributes: Attributes) => void;
  rename: (name: string) => void;
  /** @param fault what went wrong, as a code */
  end: (fault?: string) => void;
}

/** The sender's place in a trace, as W3C's traceparent header tells it. */
export interface TraceParent {
  traceId: string;
  spanId: string;
  flags: number;
}

export interface TracingOptions {
  /** Where spans go: a collector by OTLP, or stdout. */
  exporter: 'otlp' | 'console';
  /** Base URL of the collector; without it OpenTelemetry's own variables and default count. */
  endpoint?: string | undefined;
  /** Headers for the collector, as name=value separated by commas; they may hold a key. */
  headers?: string | undefined;
  serviceName: string;
  /** As OTEL_TRACES_SAMPLER names it. */
  sampler: string;
  /** Share of traces that are kept, from 0 to 1, where the sampler asks for one. */
  samplerArg: number;
  log: Logger;
  /** Longest wait for what is left to be sent, when it is closed. */
  lastMs: number;
}

export type Tracing = Awaited<ReturnType<typeof createTracing>>;

const traceparentPattern =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Reads a traceparent header (W3C Trace Context, level 1 and what may follow); undefined when it is not valid. */
export function parseTraceparent(header: unknown): TraceParent | undefined {
  const [, version, traceId, spanId, flags, rest] =
    typeof header === 'string' ? (traceparentPattern.exec(header) ?? []) : [];
  if (traceId === undefined || spanId === undefined || (version === '00' && rest !== undefined))
    return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags as string, 16) };
}

/** A collector that is away is told of once in a while, not for every batch. */
const failureEveryMs = 60_000;

/** Loads OpenTelemetry and begins to send. A collector that is away costs spans and nothing else. */
export async function createTracing(options: TracingOptions) {
  const api = await import('@opentelemetry/api');
  const complaints = failureLog(options.log);
  api.diag.setLogger(complaints, {
    logLevel: api.DiagLogLevel.ERROR,
    suppressOverrideMessage: true,
  });
  const sdk = await import('@opentelemetry/sdk-trace');
  const { detectResources, envDetector, resourceFromAttributes } = await import('@opentelemetry/resources');
  const resource = detectResources({ detectors: [envDetector] }).merge(
    resourceFromAttributes({ 'service.name': options.serviceName }),
  );
  const exporter = options.exporter === 'console' ? new sdk.ConsoleSpanExporter() : await otlp(options);
  const provider = new sdk.TracerProvider({
    resource,
    sampler: samplerOf(sdk, options),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer('sec-tester-api');
  const kinds = { internal: api.SpanKind.INTERNAL, client: api.SpanKind.CLIENT, server: api.SpanKind.SERVER };

  function begin(name: string, kind: keyof typeof kinds, attributes: Attributes, parent: Context): Span {
    const span = (tracer as Tracer).startSpan(
      name,
      { kind: kinds[kind], attributes: attributes as OtelAttributes },
      parent,
    );
    return wrap(span);
  }

  function wrap(span: OtelSpan): Span {
    return {
      traceId: span.spanContext().traceId,
      isOpen: () => span.isRecording(),
      child: (name, kind, attributes) =>
        begin(name, kind, attributes, api.trace.setSpan(api.ROOT_CONTEXT, span)),
      set: (attributes) => void span.setAttributes(attributes as OtelAttributes),
      rename: (name) => void span.updateName(name),
      end(fault) {
        if (fault !== undefined) {
          span.setAttribute('error.type', fault);
          span.setStatus({ code: api.SpanStatusCode.ERROR });
        }
        span.end();
      },
    };
  }

  return {
    /** Begins what a client asked for, within its trace when it named one. */
    begin(name: string, parent: TraceParent | undefined, attributes: Attributes): Span {
      const context =
        parent === undefined
          ? api.ROOT_CONTEXT
          : api.trace.setSpanContext(api.ROOT_CONTEXT, {
              ...{ traceId: parent.traceId, spanId: parent.spanId, traceFlags: parent.flags, isRemote: true },
            });
      return begin(name, 'server', attributes, context);
    },

    /** Sends what is left. */
    async close(): Promise<void> {
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, options.lastMs);
      });
      const failed = (error: unknown) => complaints.error((error as Error).message);
      await Promise.race([provider.shutdown().catch(failed), timeout]);
      clearTimeout(timer);
    },
  };
}

/** OpenTelemetry's own complaints as lines of the log. */
function failureLog(log: Logger): DiagLogger {
  let toldAt = Number.NEGATIVE_INFINITY;
  const error = (message: string) => {
    if (performance.now() - toldAt < failureEveryMs) return;
    toldAt = performance.now();
    log.warn({ event: 'traces_not_sent', reason: reasonIn(message) });
  };
  return { error, warn() {}, info() {}, debug() {}, verbose() {} };
}

/** Errors come as JSON with their stack. */
function reasonIn(message: string): string {
  const [, told] = /"message":("(?:[^"\\]|\\.)*")/.exec(message) ?? [];
  return told === undefined ? message.slice(0, 300) : (JSON.parse(told) as string);
}

async function otlp({ endpoint, headers }: TracingOptions): Promise<SpanExporter> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  return new OTLPTraceExporter({
    ...(endpoint !== undefined && { url: `${endpoint.replace(/\/+$/, '')}/v1/traces` }),
    ...(headers !== undefined && { headers: parseHeaders(headers) }),
  });
}

/** As in W3C's baggage: name=value, values percent-encoded. */
function parseHeaders(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(',').flatMap((pair) => {
      const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
      return name === undefined || value === undefined ? [] : [[name, decodeURIComponent(value)]];
    }),
  );
}

function samplerOf(
  sdk: typeof import('@opentelemetry/sdk-trace'),
  { sampler, samplerArg }: TracingOptions,
): Sampler {
  const root = sampler.endsWith('always_on')
    ? new sdk.AlwaysOnSampler()
    : sampler.endsWith('always_off')
      ? new sdk.AlwaysOffSampler()
      : new sdk.TraceIdRatioBasedSampler(samplerArg);
  return sampler.startsWith('parentbased') ? new sdk.ParentBasedSampler({ root }) : root;
}
