import { z } from 'zod';
import { nameActor } from './audit.js';
import { forgetCorrupted } from './assignments.js';
import { queryOne, queryRows, type Db, type Journal } from './pool.js';
import { lookAgainAt } from './users.js';

/** Records a command heard as a raw NOTIFY wallet_sync_control; one that several instances hear is recorded once. */
export async function recordControl(db: Db, command: { name: 'resync' | 'pause' | 'resume'; authId?: string }, senderPid: number | null): Promise<void> {
  // For the audit log: who sent it is known to Postgres as long as he is connected.
  await db.query("with sender as materialized (select set_config('wallet_sync.sender_pid', coalesce($3::integer::text, ''), true)) select wallet_sync.record_control($1, $2, $3) from sender", [command.name, command.authId ?? null, senderPid]);
}

/** Whether making and assigning are paused. Survives restarts. */
export async function isPaused(db: Db): Promise<boolean> {
  return (await queryOne(db, z.object({ paused: z.boolean() }), 'select paused from wallet_sync.control')).paused;
}

/** Whether the service is paused, and whether a resync waits to be taken. */
export async function readControl(db: Db): Promise<{ paused: boolean; resyncs: boolean }> {
  return queryOne(
    db,
    z.object({ paused: z.boolean(), resyncs: z.boolean() }),
    'select c.paused, exists (select from wallet_sync.resync_request r where r.taken_at is null) as resyncs from wallet_sync.control c',
  );
}

/** Asks for a resync of one user or of all, or pauses or resumes, and says that the row changed. `by`: who asks, for the audit log. */
export async function askControl(journal: Journal, command: { name: 'resync' | 'pause' | 'resume'; authId?: string }, by?: string): Promise<void> {
  await journal.transaction(async (db) => {
    await nameActor(db, by);
    await ask(db, command);
  });
}

async function ask(db: Db, command: { name: 'resync' | 'pause' | 'resume'; authId?: string }): Promise<void> {
  if (command.name === 'resync') await db.query(command.authId === undefined ? 'select wallet_sync.resync()' : 'select wallet_sync.resync($1)', command.authId === undefined ? [] : [command.authId]);
  else await db.query('select wallet_sync.set_paused($1)', [command.name === 'pause']);
}

/** Says to every instance that there is something new to look at; the rows say what. */
export async function sayChanged(db: Db): Promise<void> {
  await db.query("select pg_notify('wallet_sync_changed', '')");
}

/**
 * Takes all open resync requests, each once over all instances, together with what they ask of the journal: corruptions found
 * earlier are forgotten, one user's row is made or filled again. A null stands for all users: a sweep must follow.
 */
export async function takeResyncs(journal: Journal, instanceId: string): Promise<(string | null)[]> {
  return journal.transaction(async (db) => {
    const requests = await takeResyncRequests(db, instanceId);
    if (requests.includes(null)) await forgetCorrupted(db);
    for (const authId of requests) if (authId !== null) await lookAgainAt(db, authId);
    return requests;
  });
}

/** Takes the requests themselves. */
export async function takeResyncRequests(db: Db, instanceId: string): Promise<(string | null)[]> {
  const rows = await queryRows(
    db,
    z.object({ auth_id: z.string().nullable() }),
    `update wallet_sync.resync_request set taken_at = clock_timestamp(), taken_by = $1
     where id in (select id from wallet_sync.resync_request where taken_at is null order by id for update skip locked)
     returning auth_id`,
    [instanceId],
  );
  return rows.map((row) => row.auth_id);
}
