// What a GraphQL document may ask for, and the measuring of it: by tokens before it is parsed, by cost before it runs.
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isCompositeType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  Lexer,
  type SelectionSetNode,
  Source,
  TokenKind,
} from 'graphql';

/** Limits on documents; the same over HTTP, event streams and WebSockets. docs/security.md tells of each. */
export const documentLimits = {
  /** Characters of the text, comments and all. */
  characters: 200_000,
  /** Lines: comments end there, and are no tokens. */
  lines: 5000,
  /** Names, values and punctuation marks. */
  tokens: 2000,
  /** Brackets of any kind within each other. */
  nesting: 100,
  /** Fields within each other, through fragments too. */
  depth: 12,
  /** Fields under another name, `__typename` too. */
  aliases: 30,
  directives: 50,
  /** The same field in one selection, through fragments too: validation compares each with each. */
  repeats: 30,
  /** Named fragments. */
  fragments: 50,
  /** Uses of fragments, named or inline. */
  spreads: 100,
  /** Objects that may come back; a plain value counts a tenth, a page as many as it asks for. */
  cost: 10_000,
} as const;

const defaultPageSize = 20;
const maxPageSize = 100;
/** What a list that is no page is taken for. */
const listSize = 10;
const valueCost = 0.1;

const tooComplex = (message: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code: 'QUERY_TOO_COMPLEX' } });
const tooMany = (what: string, limit: number): GraphQLError =>
  tooComplex(`The document has more than ${limit.toLocaleString('en')} ${what}.`);

/**
 * Reads a document token by token, in one pass that stops at the first limit, so that what would keep the
 * (recursive) parser or the validation busy never reaches them.
 * @throws QUERY_TOO_COMPLEX
 */
export function checkTokens(text: string): void {
  const { characters, tokens, nesting, aliases, directives, fragments, spreads } = documentLimits;
  if (text.length > characters) throw tooComplex(`The document is longer than ${characters} characters.`);
  if (hasMoreLines(text, documentLimits.lines)) throw tooMany('lines', documentLimits.lines);
  const lexer = new Lexer(new Source(text));
  const found = { tokens: 0, depth: 0, brackets: 0, aliases: 0, directives: 0, fragments: 0, spreads: 0 };
  for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
    found.tokens += 1;
    if (found.tokens > tokens) throw tooComplex(`The document has more than ${tokens} tokens.`);
    switch (token.kind) {
      case TokenKind.PAREN_L:
      case TokenKind.BRACKET_L:
        found.brackets += 1;
        found.depth += 1;
        break;
      case TokenKind.BRACE_L:
        found.depth += 1;
        break;
      case TokenKind.PAREN_R:
      case TokenKind.BRACKET_R:
        found.brackets -= 1;
        found.depth -= 1;
        break;
      case TokenKind.BRACE_R:
        found.depth -= 1;
        break;
      case TokenKind.AT:
        found.directives += 1;
        break;
      case TokenKind.SPREAD:
        found.spreads += 1;
        break;
      case TokenKind.COLON:
        // Outside of round and square brackets a colon makes an alias.
        if (found.brackets === 0) found.aliases += 1;
        break;
      case TokenKind.NAME:
        if (found.depth === 0 && token.value === 'fragment') found.fragments += 1;
        break;
      default:
    }
    if (found.depth > nesting) throw tooComplex('The document is nested too deeply.');
    if (found.aliases > aliases) throw tooMany('aliases', aliases);
    if (found.directives > directives) throw tooMany('directives', directives);
    if (found.fragments > fragments) throw tooMany('fragments', fragments);
    if (found.spreads > spreads) throw tooMany('uses of fragments', spreads);
  }
}

function hasMoreLines(text: string, limit: number): boolean {
  let lines = 1;
  for (let at = 0; at < text.length && lines <= limit; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 10 || code === 13) lines += 1;
  }
  return lines > limit;
}

interface Weight {
  depth: number;
  cost: number;
  /** Name in the answer → how many fields of a selection have it; nothing for a field, which its parent counts. */
  names: ReadonlyMap<string, number>;
}

const noNames: Weight['names'] = new Map();

/**
 * Refuses what is too deep or may bring back too much. Each fragment is weighed once, however often it is used.
 * @param variables page sizes may come from them; what is not there is taken for a page of the default size
 * @returns whether page sizes come from variables, so that each call must be weighed with its own
 * @throws QUERY_TOO_COMPLEX
 */
export function checkWeight(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>> = {},
): boolean {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const weighed = new Map<string, Weight>();
  let dependsOnVariables = false;

  function weighSelections({ selections }: SelectionSetNode, parent: GraphQLNamedType | undefined): Weight {
    const names = new Map<string, number>();
    const sum = { depth: 0, cost: 0, names };
    for (const selection of selections) {
      const weight =
        selection.kind === Kind.FIELD
          ? weighField(selection, parent)
          : selection.kind === Kind.FRAGMENT_SPREAD
            ? weighFragment(selection.name.value)
            : weighSelections(
                selection.selectionSet,
                typeNamed(selection.typeCondition?.name.value) ?? parent,
              );
      sum.depth = Math.max(sum.depth, weight.depth);
      sum.cost += weight.cost;
      const added =
        selection.kind === Kind.FIELD
          ? ([[selection.alias?.value ?? selection.name.value, 1]] as const)
          : weight.names;
      for (const [name, count] of added) {
        const together = (names.get(name) ?? 0) + count;
        if (together > documentLimits.repeats)
          throw tooMany('fields of one name side by side', documentLimits.repeats);
        names.set(name, together);
      }
    }
    return sum;
  }

  function weighField(node: FieldNode, parent: GraphQLNamedType | undefined): Weight {
    const name = node.name.value;
    // Introspection has a rule of its own on its depth, and nothing of it is read from anywhere.
    if (name.startsWith('__') || !(isObjectType(parent) || isInterfaceType(parent)))
      return { depth: 1, cost: valueCost, names: noNames };
    const field = parent.getFields()[name];
    if (field === undefined || node.selectionSet === undefined)
      return { depth: 1, cost: valueCost, names: noNames };
    const type = getNamedType(field.type);
    const inner = weighSelections(node.selectionSet, isCompositeType(type) ? type : undefined);
    const isPage = field.args.some((arg) => arg.name === 'first');
    const isList = isListType(getNullableType(field.type)) && !parent.name.endsWith('Connection');
    const times = isPage ? pageSize(node) : isList ? listSize : 1;
    return { depth: inner.depth + 1, cost: 1 + times * inner.cost, names: noNames };
  }

  function weighFragment(name: string): Weight {
    const known = weighed.get(name);
    if (known !== undefined) return known;
    weighed.set(name, { depth: 0, cost: 0, names: noNames }); // a circle is refused by its own rule
    const fragment = fragments.get(name);
    const weight =
      fragment === undefined
        ? { depth: 0, cost: 0, names: noNames }
        : weighSelections(fragment.selectionSet, typeNamed(fragment.typeCondition.name.value));
    weighed.set(name, weight);
    return weight;
  }

  function pageSize(node: FieldNode): number {
    let size: number | undefined;
    for (const { name, value } of node.arguments ?? []) {
      if (name.value !== 'first' && name.value !== 'last') continue;
      if (value.kind === Kind.VARIABLE) dependsOnVariables = true;
      const given =
        value.kind === Kind.VARIABLE
          ? variables[value.name.value]
          : value.kind === Kind.INT
            ? Number(value.value)
            : undefined;
      if (typeof given === 'number') size = Math.max(size ?? 1, Math.min(given, maxPageSize));
    }
    return size ?? defaultPageSize;
  }

  const typeNamed = (name: string | undefined) => (name === undefined ? undefined : schema.getType(name));

  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const { depth, cost } = weighSelections(
      definition.selectionSet,
      schema.getRootType(definition.operation) ?? undefined,
    );
    if (depth > documentLimits.depth)
      throw tooComplex(`The document is deeper than ${documentLimits.depth} fields.`);
    if (cost > documentLimits.cost)
      throw tooComplex(
        `The document may bring back ${Math.round(cost).toLocaleString('en')} objects, more than ${documentLimits.cost.toLocaleString('en')}. Ask for smaller pages.`,
      );
  }
  return dependsOnVariables;
}
