import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

/** What the gateway reads of a token. */
const ClaimsSchema = z.object({
  role: z.enum(['anon', 'authenticated', 'service_role']),
  exp: z.number(),
  sub: z.uuid().optional(),
  aud: z.string().optional(),
});
export type Claims = z.output<typeof ClaimsSchema>;

/** HS256 tokens with one secret, as a Supabase project's legacy API keys are. */
export interface Keys {
  readonly anonKey: string;
  readonly serviceRoleKey: string;
  /** The access token of a signed-in user; valid for an hour. */
  userToken(authId: string): string;
  /** The claims of a valid token. Throws an Error whose message says what is wrong with it. */
  verify(token: string): Claims;
}

const TEN_YEARS_S = 315_360_000;
const HOUR_S = 3_600;

/** Makes a project's keys from a fresh secret. */
export function createKeys(): Keys {
  const secret = randomBytes(32);
  const sign = (claims: Record<string, unknown>, lifeS: number): string => {
    const iat = Math.floor(Date.now() / 1000);
    const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ iss: 'supabase', iat, exp: iat + lifeS, ...claims })}`;
    return `${text}.${digest(secret, text).toString('base64url')}`;
  };
  return {
    anonKey: sign({ role: 'anon' }, TEN_YEARS_S),
    serviceRoleKey: sign({ role: 'service_role' }, TEN_YEARS_S),
    userToken: (authId) => sign({ role: 'authenticated', aud: 'authenticated', sub: authId }, HOUR_S),
    verify: (token) => verify(secret, token),
  };
}

function verify(secret: Buffer, token: string): Claims {
  const [header, payload, signature, ...rest] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) {
    throw new Error('token is malformed: token contains an invalid number of segments');
  }
  const expected = digest(secret, `${header}.${payload}`);
  const given = Buffer.from(signature, 'base64url');
  if (decode(header)['alg'] !== 'HS256' || given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new Error('token signature is invalid: signature is invalid');
  }
  const claims = ClaimsSchema.safeParse(decode(payload));
  if (!claims.success) throw new Error('token has invalid claims');
  if (claims.data.exp * 1000 <= Date.now()) throw new Error('token has invalid claims: token is expired');
  return claims.data;
}

function digest(secret: Buffer, text: string): Buffer {
  return createHmac('sha256', secret).update(text).digest();
}

function encode(value: Record<string, unknown>): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(Buffer.from(part, 'base64url').toString('utf8')));
  } catch {
    throw new Error('token is malformed: could not JSON decode');
  }
}
