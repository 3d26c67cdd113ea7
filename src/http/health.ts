import { Hono } from 'hono';
import { z } from 'zod';
import { toAppError } from '../errors.js';
import { checkSchema } from '../journal/migrate.js';
import { queryOne } from '../journal/pool.js';
import type { HttpDeps, RouteEnv } from './deps.js';
import { createSharedRead } from '../sharedRead.js';

/** A database that doesn't answer within this is out of reach. */
const DATABASE_MS = 3_000;
const FRESH_MS = 1_000;

export interface Readiness {
  readonly ready: boolean;
  /** What keeps it from making wallets; one line each. */
  readonly reasons: readonly string[];
  /** Asked to rest: ready all the same. */
  readonly paused: boolean;
}

const standing = z.object({ paused: z.boolean(), slots: z.number(), in_rotation: z.number() });

/** /healthz: the process answers. /readyz: it can do its work. */
export function healthRoutes(deps: HttpDeps): Hono<RouteEnv> {
  const routes = new Hono<RouteEnv>();
  const readiness = createSharedRead(() => readReadiness(deps), FRESH_MS);
  routes.get('/healthz', (c) => c.json({ ok: true }));
  routes.get('/readyz', async (c) => {
    const found = await readiness.read();
    return c.json(found, found.ready ? 200 : 503);
  });
  return routes;
}

async function readReadiness({ instance, journal, readiness }: HttpDeps): Promise<Readiness> {
  const { sources, accessNode } = instance.statistics;
  const reasons: string[] = [...readiness()];
  if (!Object.values(sources).some((source) => source.state === 'ok')) {
    const states = Object.entries(sources).map(([name, { state, reason }]) => `${name} is ${state}${reason === null ? '' : ` (${reason})`}`);
    reasons.push(`no source of sign-ups has proved itself: ${states.join(', ') || 'none has begun'}`);
  }
  if (accessNode?.state === 'down') reasons.push(`the access node is down: ${accessNode.reason ?? 'no reason given'}`);
  const now = await inTime(readStanding(journal)).catch((thrown: unknown) => {
    reasons.push(`database: ${toAppError(thrown).message}`);
    return null;
  });
  if (now?.in_rotation === 0) reasons.push(now.slots === 0 ? 'no funding account has a slot' : 'no funding account is in rotation: `wallet-sync funders list` says why');
  return { ready: reasons.length === 0, reasons, paused: now?.paused ?? false };
}

async function readStanding(journal: HttpDeps['journal']): Promise<z.output<typeof standing>> {
  await checkSchema(journal);
  return queryOne(
    journal,
    standing,
    `select (select paused from wallet_sync.control) as paused, count(*) as slots, count(*) filter (where out_of_rotation is null) as in_rotation
     from wallet_sync.slot where role = 'funder'`,
  );
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Error(`no answer for ${DATABASE_MS / 1_000} s`)), DATABASE_MS)));
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
