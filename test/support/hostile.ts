import fc from 'fast-check';

/** Where this text stands, {@link toJson} writes what is nested deeper than any recursion bears. */
const DEEP_HERE = '@deep';
const DEEP_JSON = `${'[{"value":'.repeat(2_500)}null${'}]'.repeat(2_500)}`;

/** What has broken programs before: names that every object has, numbers beyond 2^53, characters that Postgres or a terminal does not bear. */
const NASTY_TEXTS = [
  '', ' ', '\0', 'a\0b', '\ud800', '\udfff\ud800', '\ufeff', '\u202e', '\u001b[2J\u001b]0;x\u0007', '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'null', 'undefined', 'NaN', '-0', '0x10', '1e308',
  '9007199254740993', '18446744073709551616', '-1', '1.5', '00', '9'.repeat(400), '9'.repeat(9_000), 'a'.repeat(9_000), DEEP_HERE, DEEP_HERE, '..', '../../etc/passwd', '%00', '%', '{', '"', "'", '\\', '\r\n', '[Error Code: 1101]', 'error: [Error Code: 99999999999999999999]', '00000000-0000-0000-0000-000000000000', '💥',
];

export const hostileText: fc.Arbitrary<string> = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...NASTY_TEXTS) }, { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) }, { weight: 1, arbitrary: fc.string({ maxLength: 60 }) }, { weight: 1, arbitrary: fc.uuid() });

const deep = (depth: number, open: string, close: string): unknown => JSON.parse(open.repeat(depth) + 'null' + close.repeat(depth));
/** Made once. */
const DEEP = [deep(1_500, '[', ']'), deep(1_500, '{"value":', '}'), deep(300, '{"type":"Optional","value":', '}')];
const NASTY_VALUES = [null, true, false, 0, -1, 1.5, 2 ** 53, 2 ** 53 + 2, -(2 ** 63), 1e308, [], {}, [[]], JSON.parse('{"__proto__":{"polluted":true}}') as unknown, JSON.parse('{"constructor":{"prototype":{"polluted":true}}}') as unknown, new Array(200).fill(0)];

/** Any value that JSON can hold. */
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...NASTY_VALUES) },
  { weight: 4, arbitrary: hostileText },
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(...DEEP) },
);

type Path = readonly (string | number)[];

/** As far down and as wide as samples are. */
function pathsOf(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null || at.length === 12) return [at];
  return [at, ...Object.entries(value).slice(0, 30).flatMap(([key, inner]) => pathsOf(inner, [...at, Array.isArray(value) ? Number(key) : key]))];
}

interface Mutation {
  readonly pick: number;
  readonly how: 'replace' | 'remove' | 'double' | 'add';
  readonly name: string;
  readonly value: unknown;
}

const mutation: fc.Arbitrary<Mutation> = fc.record({ pick: fc.nat(), how: fc.constantFrom('replace', 'replace', 'remove', 'double', 'add'), name: hostileText, value: hostileValue });

function mutate(value: unknown, { pick, how, name, value: other }: Mutation): unknown {
  const paths = pathsOf(value);
  const path = paths[pick % paths.length] ?? [];
  const change = (current: unknown, rest: Path): unknown => {
    const [key, ...deeper] = rest;
    if (key === undefined) {
      if (how === 'double') return [current, current];
      if (how === 'add' && typeof current === 'object' && current !== null && !Array.isArray(current)) return Object.defineProperty({ ...current }, name, { value: other, enumerable: true, configurable: true, writable: true });
      if (how === 'add' && Array.isArray(current)) return [...(current as unknown[]), other];
      return other;
    }
    if (Array.isArray(current)) return current.flatMap((each: unknown, index) => (index !== key ? [each] : how === 'remove' && deeper.length === 0 ? [] : [change(each, deeper)]));
    return Object.fromEntries(Object.entries(current as object).flatMap(([each, inner]) => (each !== key ? [[each, inner]] : how === 'remove' && deeper.length === 0 ? [] : [[each, change(inner, deeper)]])));
  };
  return change(value, path);
}

/** A valid sample, or it with up to three changes anywhere; now and then any value in its place. */
export const likeOneOf = (...samples: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 12, arbitrary: fc.tuple(fc.constantFrom(...samples), fc.array(mutation, { maxLength: 3 })).map(([sample, mutations]) => mutations.reduce(mutate, sample)) }, { weight: 1, arbitrary: hostileValue });

/** As JSON; what is too deep for that, and what JSON doesn't know, is written as something deep, or null. */
export function toJson(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? 'null').replaceAll(`"${DEEP_HERE}"`, DEEP_JSON);
  } catch {
    return DEEP_JSON;
  }
}

type Edit = { readonly at: number; readonly cut: number; readonly bytes: Uint8Array };
const edit: fc.Arbitrary<Edit> = fc.record({ at: fc.nat(), cut: fc.nat({ max: 20 }), bytes: fc.uint8Array({ maxLength: 8 }) });

function applyEdit(bytes: Buffer, { at, cut, bytes: more }: Edit): Buffer {
  const from = bytes.length === 0 ? 0 : at % bytes.length;
  return Buffer.concat([bytes.subarray(0, from), more, bytes.subarray(from + cut)]);
}

/** The bytes of such texts, some of them cut, damaged or no UTF-8; now and then any bytes. */
export const bytesLike = (texts: fc.Arbitrary<string>): fc.Arbitrary<Buffer> =>
  fc.oneof(
    { weight: 6, arbitrary: texts.map((text) => Buffer.from(text)) },
    { weight: 3, arbitrary: fc.tuple(texts, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([text, edits]) => edits.reduce(applyEdit, Buffer.from(text))) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  );
