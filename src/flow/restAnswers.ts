import { z } from 'zod';

/** The shapes of an access node's REST answers (https://developers.flow.com/http-api), as far as they are used. Numbers come as strings. */

const Integer = z
  .union([z.string().regex(/^\d{1,20}$/), z.number().int().nonnegative()])
  .transform(Number)
  .refine(Number.isSafeInteger, 'too large');

const Id = z.string().regex(/^[0-9a-f]{64}$/);

export const ParametersAnswer = z.object({ chain_id: z.string().min(1) });

export const BlocksAnswer = z.array(
  z.object({
    header: z.object({ id: Id, height: Integer, timestamp: z.string().transform((text) => new Date(text)).refine((date) => !Number.isNaN(date.getTime()), 'not a time') }),
  }),
);

export const AccountAnswer = z.object({
  address: z.string(),
  // UFix64 in 10^-8: 20 digits at most. Making a number of a million digits takes seconds.
  balance: z.string().regex(/^\d{1,20}$/).transform(BigInt),
  keys: z
    .array(
      z.object({
        index: Integer,
        public_key: z.string().transform((key) => key.replace(/^0x/, '').toLowerCase()),
        signing_algorithm: z.string(),
        hashing_algorithm: z.string(),
        sequence_number: Integer,
        weight: Integer,
        revoked: z.boolean(),
      }),
    )
    .nullish()
    .transform((keys) => keys ?? []),
});

/** Base64 of JSON-Cadence. */
export const JsonPayload = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    context.addIssue({ code: 'custom', message: 'not base64 of JSON' });
    return z.NEVER;
  }
});

export const ScriptAnswer: z.ZodType<unknown> = JsonPayload;

const EventShape = z.object({ type: z.string(), transaction_id: Id, payload: z.string() });

export type EventAnswer = z.infer<typeof EventShape>;

/** The emulator gives an empty status for an id it does not know, where mainnet answers 404. */
const STATUSES = { '': 'unknown', unknown: 'unknown', pending: 'pending', finalized: 'finalized', executed: 'executed', sealed: 'sealed', expired: 'expired' } as const;

export const ResultAnswer = z.object({
  block_id: z.string().nullish().transform((id) => id ?? ''),
  status: z.string().transform((text, context) => {
    const name = text.toLowerCase();
    // "constructor" is a property of every object, and no status.
    if (Object.hasOwn(STATUSES, name)) return STATUSES[name as keyof typeof STATUSES];
    context.addIssue({ code: 'custom', message: `a status that is not known: ${text.slice(0, 40)}` });
    return z.NEVER;
  }),
  execution: z.string().nullish(),
  error_message: z.string().nullish().transform((text) => text ?? ''),
  events: z
    .array(EventShape)
    .nullish()
    .transform((events) => events ?? []),
});

export const EventsAnswer = z
  .array(
    z.object({
      block_height: Integer,
      events: z
        .array(EventShape)
        .nullish()
        .transform((events) => events ?? []),
    }),
  )
  .nullish()
  .transform((blocks) => blocks ?? []);
