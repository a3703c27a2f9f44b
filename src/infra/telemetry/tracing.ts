// OpenTelemetry traces, exported by OTLP over HTTP. The packages are loaded only when tracing is enabled.
import type { Context, DiagLogger, Attributes as OtelAttributes, Span as OtelSpan } from '@opentelemetry/api';
import type { Sampler, SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import type { TraceParent } from './trace-context.js';

/** Attributes of a span; never a value that a client sent, nor a secret. */
export type Attributes = Readonly<Record<string, string | number>>;

/** A timed part of a trace. */
export interface Span {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** Whether it accepts children and attributes: a sampled span does until it ends. */
  isOpen: () => boolean;
  /** Begins a child; `client` for calls to another server. */
  child: (name: string, kind: 'internal' | 'client', attributes: Attributes) => Span;
  set: (attributes: Attributes) => void;
  rename: (name: string) => void;
  /** @param fault the code of the error that ended it */
  end: (fault?: string) => void;
}

export interface TracingOptions {
  /** Where spans go: a collector by OTLP, or stdout. */
  exporter: 'otlp' | 'console';
  /** Base URL of the collector; by default, OpenTelemetry's own variables and default apply. */
  endpoint?: string | undefined;
  /** Headers for the collector, as name=value separated by commas; they may hold a key. */
  headers?: string | undefined;
  serviceName: string;
  /** A value of OTEL_TRACES_SAMPLER. */
  sampler: string;
  /** Share of traces that a ratio sampler keeps, from 0 to 1. */
  samplerArg: number;
  log: Logger;
  /** Longest wait for the last export when tracing is closed, in milliseconds. */
  lastMs: number;
}

/** Begins spans, and exports them in batches. */
export interface Tracing {
  /** Begins the span of a client's request, within the client's trace when it named one. */
  begin(name: string, parent: TraceParent | undefined, attributes: Attributes): Span;
  /** Exports the remaining spans, within `lastMs`. */
  close(): Promise<void>;
}

type Api = typeof import('@opentelemetry/api');
type Sdk = typeof import('@opentelemetry/sdk-trace');

/** Loads OpenTelemetry and begins to export. An unreachable collector costs spans and nothing else. */
export async function createTracing(options: TracingOptions): Promise<Tracing> {
  const api = await import('@opentelemetry/api');
  const complaints = failureLog(options.log);
  api.diag.setLogger(complaints, {
    logLevel: api.DiagLogLevel.ERROR,
    suppressOverrideMessage: true,
  });
  const provider = await createProvider(options);
  const begin = spanFactory(api, provider);
  return {
    begin: (name, parent, attributes) => begin(name, 'server', attributes, contextOf(api, parent)),
    close: () => shutDown(provider, options.lastMs, (error) => complaints.error((error as Error).message)),
  };
}

async function createProvider(options: TracingOptions): Promise<TracerProvider> {
  const sdk = await import('@opentelemetry/sdk-trace');
  const { detectResources, envDetector, resourceFromAttributes } = await import('@opentelemetry/resources');
  const resource = detectResources({ detectors: [envDetector] }).merge(
    resourceFromAttributes({ 'service.name': options.serviceName }),
  );
  const exporter =
    options.exporter === 'console' ? new sdk.ConsoleSpanExporter() : await otlpExporter(options);
  return new sdk.TracerProvider({
    resource,
    sampler: samplerOf(sdk, options),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter })],
  });
}

type Kind = 'internal' | 'client' | 'server';
type Begin = (name: string, kind: Kind, attributes: Attributes, parent: Context) => Span;

function spanFactory(api: Api, provider: TracerProvider): Begin {
  const tracer = provider.getTracer('sec-tester-api');
  const kinds = { internal: api.SpanKind.INTERNAL, client: api.SpanKind.CLIENT, server: api.SpanKind.SERVER };

  const begin: Begin = (name, kind, attributes, parent) =>
    wrap(tracer.startSpan(name, { kind: kinds[kind], attributes: attributes as OtelAttributes }, parent));

  const wrap = (span: OtelSpan): Span => ({
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
  });
  return begin;
}

function contextOf(api: Api, parent: TraceParent | undefined): Context {
  if (parent === undefined) return api.ROOT_CONTEXT;
  return api.trace.setSpanContext(api.ROOT_CONTEXT, {
    traceId: parent.traceId,
    spanId: parent.spanId,
    traceFlags: parent.flags,
    isRemote: true,
  });
}

async function shutDown(
  provider: TracerProvider,
  withinMs: number,
  onFailure: (error: unknown) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, withinMs);
  });
  await Promise.race([provider.shutdown().catch(onFailure), timeout]);
  clearTimeout(timer);
}

/** An unreachable collector is reported once in this time, not for every batch. */
const failureEveryMs = 60_000;

/** Logs OpenTelemetry's own complaints. */
function failureLog(log: Logger): DiagLogger {
  let reportedAt = Number.NEGATIVE_INFINITY;
  const error = (message: string) => {
    if (performance.now() - reportedAt < failureEveryMs) return;
    reportedAt = performance.now();
    log.warn({ event: 'traces_not_sent', reason: reasonIn(message) });
  };
  return { error, warn() {}, info() {}, debug() {}, verbose() {} };
}

/** OpenTelemetry writes errors as JSON with their stack. */
function reasonIn(message: string): string {
  const [, quoted] = /"message":("(?:[^"\\]|\\.)*")/.exec(message) ?? [];
  return quoted === undefined ? message.slice(0, 300) : (JSON.parse(quoted) as string);
}

async function otlpExporter({ endpoint, headers }: TracingOptions): Promise<SpanExporter> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  return new OTLPTraceExporter({
    ...(endpoint !== undefined && { url: `${endpoint.replace(/\/+$/, '')}/v1/traces` }),
    ...(headers !== undefined && { headers: parseHeaders(headers) }),
  });
}

/** Reads name=value pairs with percent-encoded values, as in W3C's baggage header. */
function parseHeaders(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(',').flatMap((pair) => {
      const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
      return name === undefined || value === undefined ? [] : [[name, decodeURIComponent(value)]];
    }),
  );
}

function samplerOf(sdk: Sdk, { sampler, samplerArg }: TracingOptions): Sampler {
  const root = sampler.endsWith('always_on')
    ? new sdk.AlwaysOnSampler()
    : sampler.endsWith('always_off')
      ? new sdk.AlwaysOffSampler()
      : new sdk.TraceIdRatioBasedSampler(samplerArg);
  return sampler.startsWith('parentbased') ? new sdk.ParentBasedSampler({ root }) : root;
}
