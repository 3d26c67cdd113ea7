import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { AppError } from '../errors.js';
import type { Log } from '../log.js';
import { heartbeat, INSTANCE_LEASE_MS } from './instances.js';
import { differingLimits, limitText, limitsCondition, readLimits, writeLimits, type Limits } from './limits.js';
import { queryOne, queryRows, type Db, type Journal } from './pool.js';

/** What all instances on one database must agree on, because the sign-ups' trigger obeys it too. */
export interface Policy {
  /** Who is given a wallet. */
  readonly provision: 'all' | 'confirmed' | 'non-anonymous';
  /** Who gives a free account: the daemon, or the sign-up's own transaction. */
  readonly assign: 'daemon' | 'trigger';
  /** What may be spent. Left out: the limits stay as they are. */
  readonly limits?: Limits;
}

export interface PolicyRequest extends Policy {
  readonly instanceId: string;
  readonly statistics: unknown;
  /** With `assign: 'trigger'`: sign-ups ring when fewer free accounts are left. Needs no agreement: the last one to start decides. */
  readonly lowWater: number;
  readonly log: Log;
}

/** How much longer than the lease of an instance that died a start waits for its end. */
const MARGIN_MS = 2_000;
const LOOK_AGAIN_MS = 250;

/**
 * Registers the instance and writes the policy, in one transaction. Where another living instance has written a different one, waits
 * until that one has shown that it lives, or until its lease has run out: one that was killed looks alive for
 * {@link INSTANCE_LEASE_MS}. To be called at the start, before anything is given.
 * Throws an AppError of kind `usage` that names both policies where the other one lives.
 */
export async function registerPolicy(journal: Journal, request: PolicyRequest): Promise<void> {
  const { now: since } = await queryOne(journal, z.object({ now: z.string() }), 'select clock_timestamp()::text as now');
  const deadline = performance.now() + INSTANCE_LEASE_MS + MARGIN_MS;
  for (let isFirst = true; ; isFirst = false) {
    const difference = await journal.transaction((db) => tryToRegister(db, request, since));
    if (difference === null) return;
    if (difference.other.lives || performance.now() > deadline) throw disagreement(difference);
    if (isFirst) request.log.warn({ host: difference.other.host, pid: difference.other.pid, policy: Object.fromEntries(difference.values.map(({ name, others }) => [name, others])) }, 'waiting for an instance with another policy to show that it lives, or to be dead');
    await delay(LOOK_AGAIN_MS);
  }
}

/** Whether the policy is still the one that was registered. It is not after schema wallet_sync was dropped and migrated again. */
export async function isPolicyKept(db: Db, { provision, assign, limits }: Policy): Promise<boolean> {
  const same = limits === undefined ? { text: 'true', values: [] } : limitsCondition(limits, 3);
  const { kept } = await queryOne(
    db,
    z.object({ kept: z.boolean() }),
    `select exists (select from wallet_sync.control, wallet_sync.spending_limit where policy_set_at is not null and provision = $1 and assign = $2 and ${same.text}) as kept`,
    [provision, assign, ...same.values],
  );
  return kept;
}

const policyRow = z.object({ provision: z.enum(['all', 'confirmed', 'non-anonymous']), assign: z.enum(['daemon', 'trigger']), is_set: z.boolean() });
const otherRow = z.object({ host: z.string(), pid: z.number(), lives: z.boolean() });

interface Difference {
  /** As settings: the name of each that differs, with this instance's value and the other's. */
  readonly values: readonly { readonly name: string; readonly own: string; readonly others: string }[];
  readonly other: z.output<typeof otherRow>;
}

/** Null where it is done. The lock on the row makes one of two that start together see what the other has written. */
async function tryToRegister(db: Db, request: PolicyRequest, since: string): Promise<Difference | null> {
  const { is_set: isSet, ...policy } = await queryOne(db, policyRow, 'select provision, assign, policy_set_at is not null as is_set from wallet_sync.control for update');
  const values: { name: string; own: string; others: string }[] = isSet ? (['provision', 'assign'] as const).filter((name) => policy[name] !== request[name]).map((name) => ({ name: name.toUpperCase(), own: request[name], others: policy[name] })) : [];
  const limits = request.limits === undefined ? null : await readLimits(db);
  if (limits !== null && request.limits !== undefined) {
    for (const { name, setting } of differingLimits(limits, request.limits)) values.push({ name: setting, own: limitText(request.limits, name), others: limitText(limits, name) });
  }
  if (values.length > 0) {
    const [other] = await queryRows(
      db,
      otherRow,
      `select host, pid, seen_at > $2::timestamptz as lives from wallet_sync.instance
       where id <> $1 and stopped_at is null and seen_at > clock_timestamp() - make_interval(secs => $3::double precision / 1000)
       order by seen_at desc limit 1`,
      [request.instanceId, since, INSTANCE_LEASE_MS],
    );
    if (other !== undefined) return { values, other };
  }
  await db.query('update wallet_sync.control set provision = $1, assign = $2, low_water = $3, policy_set_at = clock_timestamp()', [request.provision, request.assign, request.lowWater]);
  if (request.limits !== undefined) await writeLimits(db, request.limits);
  await heartbeat(db, request.instanceId, request.statistics);
  return null;
}

function disagreement({ values, other }: Difference): AppError {
  const own = values.map(({ name, own }) => `${name}=${own}`).join(' and ');
  const others = values.map(({ name, others }) => `${name}=${others}`).join(' and ');
  return new AppError('usage', `this instance has ${own}, but process ${other.pid} on ${other.host} has ${others} on the same database`, {
    where: values.map(({ name }) => name).join(', '),
    mend: `start this one with ${others}, or stop the others first (one that was killed counts as running for ${INSTANCE_LEASE_MS / 1_000} s)`,
  });
}
