import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { LogicalReplicationService, PgoutputPlugin, type Pgoutput } from 'pg-logical-replication';
import { AppError } from '../../src/errors.js';
import { jsonValueParser } from './values.js';

/** One committed row change, in the order of commits. */
export interface Change {
  readonly type: 'INSERT' | 'UPDATE' | 'DELETE';
  readonly schema: string;
  readonly table: string;
  readonly keyColumns: readonly string[];
  /** Column to JSON value: the new row; for DELETE null. */
  readonly record: Readonly<Record<string, unknown>> | null;
  /** The old row as far as the replica identity tells it: the key, by default. For INSERT null. */
  readonly oldRecord: Readonly<Record<string, unknown>> | null;
  /** ISO time of the commit, by the database's clock. */
  readonly committedAt: string;
  /** The transaction that made it. */
  readonly xid: number;
}

export interface ChangeStreamOptions {
  /** Connects as a role that may replicate. */
  readonly connectionString: string;
  readonly publication: string;
  /** Called for one change after the other; the stream waits for it, so a slow reader slows the stream and grows no queue. */
  readonly onChange: (change: Change) => Promise<void>;
}

export interface ChangeStream {
  /** Whether changes are being received at this moment. */
  isLive(): boolean;
  /** Resolves once changes are being received. */
  live(): Promise<void>;
  /** Ends the stream; the slot is gone with its connection. */
  stop(): Promise<void>;
}

const RETRY_MS = 200;

/**
 * Reads a publication's changes from Postgres's own logical replication. The slot is temporary: Postgres drops it with the connection, so that
 * no log piles up behind a gateway that was killed. A lost connection is opened again with a new slot; what was committed in between
 * is not delivered, as with the real Realtime. Throws where the first connection fails.
 */
export async function followChanges(options: ChangeStreamOptions): Promise<ChangeStream> {
  let stopped = false;
  let live = false;
  let everLive = false;
  let waiters: (() => void)[] = [];
  let service: LogicalReplicationService | undefined;
  let endPause: () => void = () => undefined;

  const setLive = (value: boolean): void => {
    live = value;
    if (!value) return;
    everLive = true;
    for (const waiter of waiters) waiter();
    waiters = [];
  };

  /** One connection's life: resolves or rejects when it ends. */
  async function followOnce(): Promise<void> {
    const current = new LogicalReplicationService(
      { connectionString: options.connectionString, application_name: 'realtime', options: '-c TimeZone=UTC -c DateStyle=ISO' },
      { flowControl: { enabled: true }, acknowledge: { auto: true, timeoutSeconds: 10 } });
    service = current;
    let commit = { committedAt: '', xid: 0 };
    // A connection's errors also reject subscribe() below; without a listener they would end the process.
    current.on('error', () => undefined);
    current.on('start', () => setLive(true));
    // A server that shuts down waits (up to wal_sender_timeout, 60 s) until exactly the position that it sent has come back.
    current.on('heartbeat', (lsn: string, _time: number, shouldRespond: boolean) => {
      if (shouldRespond) void current.acknowledge(lsnBefore(lsn));
    });
    current.on('data', async (_lsn: string, message: Pgoutput.Message) => {
      if (message.tag === 'begin') commit = { committedAt: new Date(Number(message.commitTime) / 1000).toISOString(), xid: message.xid };
      const change = toChange(message, commit);
      if (change !== null && !stopped) await options.onChange(change);
    });
    try {
      await current.subscribe(createPlugin(options.publication), `dev_realtime_${randomBytes(6).toString('hex')}`);
    } finally {
      setLive(false);
      await current.destroy().catch(() => undefined);
    }
  }

  /** Follows until stopped; throws only where it has never been live. */
  async function keepFollowing(): Promise<void> {
    while (!stopped) {
      try {
        await followOnce();
      } catch (error) {
        if (!everLive && !stopped) throw error;
      }
      if (stopped) return;
      await new Promise<void>((resolve) => {
        endPause = resolve;
        setTimeout(resolve, RETRY_MS);
      });
    }
  }

  const becomeLive = (): Promise<void> => (live ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve)));
  const following = keepFollowing();
  try {
    await Promise.race([becomeLive(), following]);
  } catch (error) {
    throw new AppError('network', 'logical replication does not start', {
      where: 'dev gateway', cause: error, mend: 'wal_level must be logical and the role must be allowed to replicate',
    });
  }

  return {
    isLive: () => live,
    live: becomeLive,
    async stop() {
      stopped = true;
      endPause();
      await service?.destroy().catch(() => undefined);
      await following;
    },
  };
}

/** The position one byte earlier: acknowledge() adds the byte back, since it takes the start of a message for its end. */
function lsnBefore(lsn: string): string {
  const [high = '0', low = '0'] = lsn.split('/');
  const before = (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`) - 1n;
  return before < 0n ? lsn : `${(before >> 32n).toString(16)}/${(before & 0xffff_ffffn).toString(16)}`;
}

/** pgoutput that makes its own temporary slot on the connection that reads it, and keeps values as Realtime's JSON. */
function createPlugin(publication: string): PgoutputPlugin {
  const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: [publication] });
  const parse = plugin.parse.bind(plugin);
  const start = plugin.start.bind(plugin);
  plugin.parse = (buffer) => {
    const message = parse(buffer);
    if (message.tag === 'relation') for (const column of message.columns) column.parser = jsonValueParser(column.typeOid);
    return message;
  };
  plugin.start = async (client: pg.Client, slot: string, lsn: string) => {
    await client.query(`CREATE_REPLICATION_SLOT "${slot}" TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT`);
    return start(client, slot, lsn);
  };
  return plugin;
}

function toChange(message: Pgoutput.Message, commit: Pick<Change, 'committedAt' | 'xid'>): Change | null {
  if (message.tag !== 'insert' && message.tag !== 'update' && message.tag !== 'delete') return null;
  const { schema, name: table, keyColumns } = message.relation;
  const place = { schema, table, keyColumns, ...commit };
  if (message.tag === 'insert') return { ...place, type: 'INSERT', record: message.new, oldRecord: null };
  if (message.tag === 'delete') return { ...place, type: 'DELETE', record: null, oldRecord: message.old ?? message.key };
  const key = Object.fromEntries(keyColumns.map((column) => [column, message.new[column]]));
  return { ...place, type: 'UPDATE', record: message.new, oldRecord: message.old ?? message.key ?? key };
}
