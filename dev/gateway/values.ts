import { z } from 'zod';

/** Object ids of built-in types, from pg_type.dat; they never change. */
const BOOL = 16;
const INT8 = 20;
const INT2 = 21;
const INT4 = 23;
const JSON_TYPE = 114;
const FLOAT4 = 700;
const FLOAT8 = 701;
const TIMESTAMP = 1114;
const TIMESTAMPTZ = 1184;
const NUMERIC = 1700;
const JSONB = 3802;

const NUMBERS = new Set([INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC]);

/** The converter from a column's text in the change stream to the JSON that Realtime sends; unknown types stay text. */
export function jsonValueParser(typeOid: number): (text: string) => unknown {
  if (typeOid === BOOL) return (text) => text === 't';
  if (NUMBERS.has(typeOid)) return toNumber;
  if (typeOid === JSON_TYPE || typeOid === JSONB) return (text) => z.json().parse(JSON.parse(text));
  if (typeOid === TIMESTAMP) return (text) => text.replace(' ', 'T');
  if (typeOid === TIMESTAMPTZ) return toIsoTime;
  return (text) => text;
}

/** NaN and Infinity have no JSON number: they stay text, as in Postgres's to_jsonb. */
function toNumber(text: string): number | string {
  const value = Number(text);
  return Number.isFinite(value) ? value : text;
}

/** `2026-11-24 00:13:28.893565+00` to `2026-11-24T00:13:28.893565+00:00`. */
function toIsoTime(text: string): string {
  return text.replace(' ', 'T').replace(/([+-]\d{2})$/, '$1:00');
}
