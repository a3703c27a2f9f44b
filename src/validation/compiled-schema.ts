// Runs zod shapes as plain functions: valid values pass many times as fast. zod checks invalid values, and parts of
// shapes that this module does not know, and words the error.
import type { z } from 'zod';

type Zod = z.core.$ZodType;
type Take = (value: unknown) => unknown;

const quickChecks = new WeakMap<object, (value: unknown) => boolean>();

/** Records which values pass a shape unchanged; zod checks all others. @returns the shape */
export function keeping<Shape extends z.ZodType>(shape: Shape, isValid: (value: unknown) => boolean): Shape {
  quickChecks.set(shape._zod.def, isValid); // which the same shape with a description shares
  return shape;
}

/** The same check (Standard Schema) as the shape's own. */
export function quickly<Shape extends z.ZodType>(shape: Shape): Shape {
  const take = takerOf(shape);
  const own = shape['~standard'];
  const validate: typeof own.validate = (value, options) => {
    try {
      return { value: take(value) as z.output<Shape> };
    } catch (error) {
      if (error !== invalid) throw error;
      return own.validate(value, options);
    }
  };
  return { '~standard': { ...own, validate } } as Shape;
}

const invalid = new Error('does not fit its shape');

function takerOf(shape: Zod): Take {
  const def = shape._zod.def as Def;
  const isValid = quickChecks.get(def);
  const byZod: Take = (value) => {
    const parsed = (shape as z.ZodType).safeParse(value);
    if (!parsed.success) throw invalid;
    return parsed.data;
  };
  if (isValid !== undefined) return (value) => (isValid(value) ? value : byZod(value));
  switch (def.type) {
    case 'optional':
      return unless(undefined, takerOf(def.innerType));
    case 'nullable':
      return unless(null, takerOf(def.innerType));
    case 'array':
      return listTaker(def, takerOf(def.element)) ?? byZod;
    case 'object':
      return objectTaker(def) ?? byZod;
    default:
      return byZod;
  }
}

/** The parts of zod's definitions that are looked at. */
type Def =
  | { type: 'optional' | 'nullable'; innerType: Zod }
  | { type: 'array'; element: Zod; checks?: Check[] }
  | { type: 'object'; shape: Record<string, Zod>; catchall?: Zod; checks?: Check[] }
  | { type: 'other' };
interface Check {
  _zod: { def: { check: string; minimum?: number; maximum?: number } };
}

function unless(nothing: null | undefined, take: Take): Take {
  return (value) => (value === nothing ? value : take(value));
}

/** @returns undefined for one that is checked for more than its length */
function listTaker({ checks = [] }: { checks?: Check[] }, take: Take): Take | undefined {
  let min = 0;
  let max = Number.POSITIVE_INFINITY;
  for (const { _zod } of checks) {
    const { check, minimum = 0, maximum = Number.POSITIVE_INFINITY } = _zod.def;
    if (check !== 'min_length' && check !== 'max_length') return undefined;
    min = Math.max(min, minimum);
    max = Math.min(max, maximum);
  }
  return (value) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) throw invalid;
    const taken: unknown[] = [];
    for (const item of value) taken.push(take(item));
    return taken;
  };
}

/** @returns undefined for one that takes unknown fields, or is checked as a whole */
function objectTaker({ shape, catchall, checks = [] }: Def & { type: 'object' }): Take | undefined {
  if (catchall?._zod.def.type !== 'never' || checks.length > 0) return undefined;
  const fields = Object.entries(shape).map(([name, field]) => ({
    name,
    take: takerOf(field),
    isOptional: field._zod.def.type === 'optional',
  }));
  const names = new Set(Object.keys(shape));
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid;
    const given = value as Record<string, unknown>;
    for (const name in given) if (!names.has(name)) throw invalid;
    const taken: Record<string, unknown> = {};
    for (const { name, take, isOptional } of fields)
      if (!isOptional || name in given) taken[name] = take(given[name]);
    return taken;
  };
}
