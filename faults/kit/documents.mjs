// Random GraphQL documents of a schema, as trees that a search changes step by step and prints as text.
import {
  getNamedType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';

const words = ['scan', 'result', 'http', 'injection', 'abc', 'zzz', 'r1', 'main', 'a.test'];
const moments = ['2020-01-01T00:00:00Z', '2099-01-01T00:00:00Z'];
const deepest = 9;

/**
 * Makes and changes documents. A node is a field with its arguments and its nodes below, or an inline fragment without a field.
 * @param {import('graphql').GraphQLSchema} schema
 * @param {Record<string, string[]>} ids public ids of objects that exist, by prefix
 * @param {() => number} random from 0 to 1
 */
export function createDocuments(schema, ids, random) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const roots = Object.values(schema.getQueryType().getFields());

  function inputOf(type, name, depth) {
    if (isNonNullType(type)) return inputOf(type.ofType, name, depth);
    if (isListType(type)) return `[${inputOf(type.ofType, name, depth)}]`;
    if (isEnumType(type)) return pick(type.getValues()).name;
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter(
        (field) => isNonNullType(field.type) || (depth < 2 && random() < 0.15),
      );
      return `{ ${fields.map((field) => `${field.name}: ${inputOf(field.type, field.name, depth + 1)}`).join(', ')} }`;
    }
    if (name === 'first' || name === 'last') return String(pick([100, 100, 60, 30, 20, 10, 5, 2, 1]));
    if (type.name === 'Int') return String(pick([0, 1, 79, 100]));
    if (type.name === 'Boolean') return String(random() < 0.5);
    if (type.name === 'DateTime') return `"${pick(moments)}"`;
    if (type.name === 'ID') return `"${pick(ids[pick(Object.keys(ids))])}"`;
    return JSON.stringify(name === 'key' || name === 'project' ? 'default' : pick(words));
  }

  function argumentsOf(field) {
    const chosen = {};
    for (const { name, type } of field.args) {
      const isPage = name === 'first';
      if (!isNonNullType(type) && !(isPage ? random() < 0.9 : random() < 0.1)) continue;
      if (name === 'last' && chosen.first !== undefined) continue;
      if (name === 'after' || name === 'before') continue;
      chosen[name] =
        field.name === 'node' || name === 'id' || /Id$|^base$|^head$/.test(name)
          ? idFor(field)
          : inputOf(type, name, 0);
    }
    return chosen;
  }

  function idFor(field) {
    const prefix =
      { TestResult: 'res', Finding: 'fnd', User: 'usr', Import: 'imp' }[getNamedType(field.type).name] ??
      'exe';
    return `"${pick(ids[prefix] ?? ids.exe)}"`;
  }

  function nodeOf(field, depth) {
    const type = getNamedType(field.type);
    const node = { name: field.name, type, args: argumentsOf(field), below: undefined };
    if (!isLeafType(type)) node.below = belowOf(type, depth + 1);
    return node;
  }

  function belowOf(type, depth) {
    const fields = isObjectType(type) ? Object.values(type.getFields()) : [];
    const share = pick([0.2, 0.5, 1]);
    const chosen = fields.filter((field) =>
      isLeafType(getNamedType(field.type)) ? random() < share : depth < deepest && random() < 0.35,
    );
    const nodes = chosen.map((field) => nodeOf(field, depth));
    return nodes.length > 0 ? nodes : [{ name: '__typename', args: {} }];
  }

  /** All lists of nodes in a document, with the type that they select from and their depth. */
  function listsOf(document) {
    const lists = [{ nodes: document, type: schema.getQueryType(), depth: 0 }];
    for (const list of lists)
      for (const { below, type } of list.nodes)
        if (below !== undefined) lists.push({ nodes: below, type, depth: list.depth + 1 });
    return lists;
  }

  const changes = [
    ({ nodes, type, depth }) => {
      const fields = Object.values(type.getFields?.() ?? {});
      if (fields.length > 0 && depth < deepest) nodes.push(nodeOf(pick(fields), depth));
    },
    ({ nodes }) => nodes.push(structuredCopy(pick(nodes))),
    ({ nodes }) => nodes.length > 1 && nodes.splice(Math.floor(random() * nodes.length), 1),
    ({ nodes, type }) => {
      const node = pick(nodes);
      const field = type.getFields?.()[node.name];
      if (field !== undefined) node.args = argumentsOf(field);
    },
    ({ nodes, type, depth }) => {
      const at = Math.floor(random() * nodes.length);
      const field = type.getFields?.()[nodes[at].name];
      if (field !== undefined) nodes[at] = nodeOf(field, depth);
    },
    ({ nodes }) => {
      const { args } = pick(nodes);
      for (const name of ['first', 'last'])
        if (args[name] !== undefined)
          args[name] = String(Math.min(100, Math.max(1, Math.round(args[name] * pick([0.5, 0.8, 1.3, 2])))));
    },
    ({ nodes, type }) => {
      // Every plain value that the type has.
      for (const field of Object.values(type.getFields?.() ?? {}))
        if (isLeafType(getNamedType(field.type)) && !nodes.some(({ name }) => name === field.name))
          nodes.push(nodeOf(field, deepest));
    },
  ];

  return {
    make: () => [nodeOf(pick(roots), 0)],
    /** A copy with some changes. */
    change(document) {
      const copy = document.map(structuredCopy);
      for (let n = 0; n <= Math.floor(random() * 4); n += 1) pick(changes)(pick(listsOf(copy)));
      return copy;
    },
    /** Makes the largest page smaller; whether there was one. */
    shrink(document) {
      const pages = listsOf(document).flatMap(({ nodes }) =>
        nodes.filter(({ args }) => (args.first ?? args.last) > 1),
      );
      const largest = pages.sort((a, b) => (b.args.first ?? b.args.last) - (a.args.first ?? a.args.last))[0];
      if (largest === undefined) return false;
      const name = largest.args.first === undefined ? 'last' : 'first';
      largest.args[name] = String(Math.max(1, Math.floor(largest.args[name] / 2)));
      return true;
    },
    print,
  };
}

function structuredCopy({ below, ...node }) {
  return { ...node, args: { ...node.args }, below: below?.map(structuredCopy) };
}

/** The text; fields that are there more than once get names of their own. */
function print(document) {
  let aliases = 0;
  const nextAlias = () => {
    aliases += 1;
    return aliases;
  };
  const printAll = (nodes) => {
    const seen = new Set();
    return nodes
      .map(({ name, args, below }) => {
        const alias = seen.has(name) ? `a${nextAlias()}: ` : '';
        seen.add(name);
        const given = Object.entries(args).map(([key, value]) => `${key}: ${value}`);
        return `${alias}${name}${given.length > 0 ? `(${given.join(', ')})` : ''}${below === undefined ? '' : ` { ${printAll(below)} }`}`;
      })
      .join(' ');
  };
  return `{ ${printAll(document)} }`;
}
