// The interface by which a format reads JSON, and the bounds of a document.

/** The handling of a value: parse it and hand it over, walk into it, or pass over it. */
export type Selection = 'value' | 'enter' | 'skip';

/** Keys and indexes from the root. */
export type JsonPath = readonly (string | number)[];

/** The kind of a value that begins. */
export type JsonKind = 'array' | 'object' | 'scalar';

/** The handler of a format's JSON. */
export interface JsonHandler {
  /** Called where a value begins; `path` is valid during the call only. */
  select: (path: JsonPath, kind: JsonKind) => Selection;
  /** Called with each selected value; `path` is valid during the call only. */
  onValue: (value: unknown, path: JsonPath) => void;
  /** Called where an entered container ends. */
  onEnd?: (path: JsonPath) => void;
  /** Called where the text ends too early, with the path of the unfinished part, instead of the fault. */
  onTruncated?: (path: JsonPath) => void;
  /** Called for a text without any value, instead of the fault. */
  onEmpty?: () => void;
  /** Whether one document may follow another (NDJSON). */
  isNdjson?: boolean;
}

/** Bounds of a document, in bytes, levels and keys. */
export interface JsonLimits {
  /** Bytes of one selected value. */
  elementBytes: number;
  depth: number;
  /** Keys of one entered object. */
  keysPerObject: number;
  /** Bytes of all selected values together, for a format that keeps them; unlimited when absent. */
  totalBytes?: number;
}

/** Default bounds: 16 MiB, 100 levels, 100,000 keys. */
export const jsonLimits: JsonLimits = { elementBytes: 16 * 2 ** 20, depth: 100, keysPerObject: 100_000 };

/** Bounds for values that a format keeps until the end of a report: 64 MiB in all. */
export const keptLimits: JsonLimits = { ...jsonLimits, totalBytes: 64 * 2 ** 20 };
