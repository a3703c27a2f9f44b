// W3C Trace Context: reads the traceparent header of a request.

/** The sender's place in a trace, from W3C's traceparent header. */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits. */
  spanId: string;
  flags: number;
}

const traceparentPattern =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Reads a traceparent header (W3C Trace Context, level 1 and later versions); undefined when it is not valid. */
export function parseTraceparent(header: unknown): TraceParent | undefined {
  const [, version, traceId, spanId, flags, rest] =
    typeof header === 'string' ? (traceparentPattern.exec(header) ?? []) : [];
  if (traceId === undefined || spanId === undefined || (version === '00' && rest !== undefined))
    return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags as string, 16) };
}
