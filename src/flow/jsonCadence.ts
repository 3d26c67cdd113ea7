import { AppError } from '../errors.js';

/** Values of ours have 8 levels at most; the decoder calls itself for each. */
const MAX_LEVELS = 60;

const LEAVES = [
  'Void', 'Bool', 'String', 'Character', 'Address', 'Int', 'UInt', ...[8, 16, 32, 64, 128, 256].flatMap((bits) => [`Int${bits}`, `UInt${bits}`, `Word${bits}`]), 'Fix64', 'UFix64', 'Fix128', 'UFix128', 'Path', 'Capability', 'Reference',
];
const COMPOSITES = ['Struct', 'Resource', 'Event', 'Enum'];
const KNOWN = new Set([...LEAVES, ...COMPOSITES, 'Optional', 'Array', 'Dictionary', 'Type', 'InclusiveRange']);

/**
 * Throws `data` where a value is no JSON-Cadence that @onflow/fcl 1.21 decodes. Asked before it, because in its arrays a value of a type that it does not
 * know leaves a promise that never settles, and a rejection that nobody can catch and that ends the process. Looks without recursion.
 */
export function checkCadence(value: unknown): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_LEVELS) throw refuse('nested too deep');
    const next: unknown[] = [];
    for (const node of level) for (const inner of innerOf(node)) next.push(inner);
    level = next;
  }
}

/** The values in a value. */
function innerOf(node: unknown): unknown[] {
  if (!isObject(node) || typeof node['type'] !== 'string' || !KNOWN.has(node['type'])) throw refuse('a value has no known type');
  const { type, value } = node;
  if (type === 'Optional') return value === null || value === undefined ? [] : [value];
  if (type === 'Array') {
    if (!Array.isArray(value)) throw refuse('an Array has no list');
    return value as unknown[];
  }
  if (type === 'Dictionary') {
    if (!Array.isArray(value)) throw refuse('a Dictionary has no list');
    return value.flatMap((pair: unknown) => {
      if (!isObject(pair)) throw refuse('a Dictionary has no pairs');
      return [pair['key'], pair['value']];
    });
  }
  if (type === 'InclusiveRange') {
    if (!isObject(value)) throw refuse('an InclusiveRange has no bounds');
    return ['start', 'end', 'step'].filter((bound) => Object.hasOwn(value, bound)).map((bound) => value[bound]);
  }
  if (type === 'Type' && !isObject(value)) throw refuse('a Type is empty');
  if (!COMPOSITES.includes(type as string)) return [];
  // The decoder takes an id that is a type's name for that type.
  if (!isObject(value) || !Array.isArray(value['fields']) || KNOWN.has(String(value['id']))) throw refuse('a composite has no fields');
  return value['fields'].map((field: unknown) => {
    if (!isObject(field) || typeof field['name'] !== 'string') throw refuse('a field has no name');
    return field['value'];
  });
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const refuse = (why: string): AppError => new AppError('data', `not JSON-Cadence: ${why}`, { where: 'access node' });
