// Turns the text of a document into one that may run: limits, parsing, validation, and the cache of valid documents.
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  parse,
  type Source,
  specifiedRules,
  ValuesOfCorrectTypeRule,
  validate,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import { ValuesOfCorrectType } from '../errors.js';
import { checkWeight, type DocumentWeight } from './complexity.js';
import { documentLimits } from './document-limits.js';
import { checkTokens } from './token-limits.js';

/** Bounds of the cache: documents, their characters in all, and the longest one; longer ones are parsed each time. */
const cacheLimits = { max: 1000, maxSize: 2_000_000, maxEntrySize: 20_000 };

/** Most faults that are reported of a document: finding and wording each costs. */
const maxErrors = 10;

/** Documents as the transports see them. */
export interface Documents {
  /** Gives them to Yoga. */
  plugin: Plugin;
  /** A document that was valid before, by its text. */
  known: (text: string) => DocumentNode | undefined;
  /** The errors of an operation whose variables make it too large. */
  faultOf: (
    args: Pick<ExecutionArgs, 'schema' | 'document' | 'variableValues' | 'operationName'>,
  ) => ExecutionResult | undefined;
  /** Whether a response may have more bytes than this: then its size must be measured. */
  mayExceed: (document: DocumentNode, bytes: number) => boolean;
}

/**
 * Parses, checks and caches documents. Invalid ones are never cached, so that no flood of hostile documents evicts the
 * valid ones.
 * @param toAnswer maps an error to the one that the client gets
 */
export function createDocuments(
  isIntrospectionEnabled: boolean,
  toAnswer: (error: unknown) => Error,
): Documents {
  const valid = new LRUCache<string, DocumentNode>({
    ...cacheLimits,
    sizeCalculation: (_document, text) => text.length + 1,
  });
  /** Documents that passed, with their weight. */
  const passed = new WeakMap<DocumentNode, DocumentWeight>();
  const rules = [
    ...specifiedRules.map((rule) => (rule === ValuesOfCorrectTypeRule ? ValuesOfCorrectType : rule)),
    ...(isIntrospectionEnabled ? [] : [NoSchemaIntrospectionCustomRule]),
  ];

  const parseChecked = (source: string | Source): DocumentNode => {
    const text = typeof source === 'string' ? source : source.body;
    const known = valid.get(text);
    if (known !== undefined) return known;
    checkTokens(text);
    return parse(text, { maxTokens: documentLimits.tokens });
  };

  const validateChecked = (schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[] => {
    if (passed.has(document)) return [];
    const weight = checkWeight(schema, document);
    const faults = validate(schema, document, rules, {
      hideSuggestions: !isIntrospectionEnabled,
      maxErrors,
    });
    if (faults.length > 0) return faults;
    passed.set(document, weight);
    const text = document.loc?.source.body;
    if (text !== undefined) valid.set(text, document);
    return [];
  };

  const faultOf: Documents['faultOf'] = ({ schema, document, variableValues, operationName }) => {
    if (passed.get(document)?.dependsOnVariables === false) return undefined;
    try {
      checkWeight(schema, document, variableValues ?? {}, operationName);
      return undefined;
    } catch (error) {
      return { errors: [toAnswer(error) as GraphQLError] };
    }
  };

  const mayExceed = (document: DocumentNode, bytes: number) => {
    const weight = passed.get(document);
    return weight === undefined || weight.dependsOnVariables || weight.bytes > bytes;
  };
  const plugin = pluginOf(parseChecked, validateChecked, faultOf);
  return { plugin, faultOf, mayExceed, known: (text) => valid.get(text) };
}

function pluginOf(
  parseChecked: (source: string | Source) => DocumentNode,
  validateChecked: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[],
  faultOf: Documents['faultOf'],
): Plugin {
  return {
    onParse: ({ setParseFn }) => setParseFn(parseChecked),
    onValidate: ({ setValidationFn }) => setValidationFn(validateChecked),
    onExecute({ args, setResultAndStopExecution }) {
      const fault = faultOf(args as ExecutionArgs);
      if (fault !== undefined) setResultAndStopExecution(fault);
    },
    onSubscribe({ args, setResultAndStopExecution }) {
      const fault = faultOf(args as ExecutionArgs);
      if (fault !== undefined) setResultAndStopExecution(fault);
    },
  };
}
