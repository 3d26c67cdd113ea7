import { z } from 'zod';

/** One Phoenix message, in either of the two JSON spellings. */
export interface Frame {
  readonly joinRef: string | null;
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

export type Version = '1.0.0' | '2.0.0';

const ref = z.string().nullish().transform((value) => value ?? null);
const payload = z.record(z.string(), z.unknown()).nullish().transform((value) => value ?? {});
const ArraySchema = z.tuple([ref, ref, z.string(), z.string(), payload]);
const ObjectSchema = z.object({ join_ref: ref, ref, topic: z.string(), event: z.string(), payload });

/** Reads a frame as a client of `version` sends it. Null for anything else, binary broadcasts included. */
export function readFrame(version: Version, text: string): Frame | null {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return null;
  }
  if (version === '2.0.0') {
    const parsed = ArraySchema.safeParse(raw);
    if (!parsed.success) return null;
    const [joinRef, frameRef, topic, event, body] = parsed.data;
    return { joinRef, ref: frameRef, topic, event, payload: body };
  }
  const parsed = ObjectSchema.safeParse(raw);
  if (!parsed.success) return null;
  const { join_ref: joinRef, ref: frameRef, topic, event, payload: body } = parsed.data;
  return { joinRef, ref: frameRef, topic, event, payload: body };
}

/** Writes a frame as a client of `version` reads it: `[join_ref, ref, topic, event, payload]`, or an object with those names. */
export function writeFrame(version: Version, frame: Frame): string {
  return version === '2.0.0'
    ? JSON.stringify([frame.joinRef, frame.ref, frame.topic, frame.event, frame.payload])
    : JSON.stringify({ join_ref: frame.joinRef, ref: frame.ref, topic: frame.topic, event: frame.event, payload: frame.payload });
}
