import type pg from 'pg';
import type { Database } from './database.js';

export interface Bell {
  /** Everything that rang since the last call, in order. Exact: a mark of our own sent through the same queue comes after it. */
  heard(): Promise<string[]>;
}

/** Listens on the channel on which sign-ups ring, as the daemon does. */
export async function listenToBell(database: Database): Promise<Bell> {
  const client = await database.connect('wallet_sync_service');
  let marks = 0;
  let payloads: string[] = [];
  let onMark: (payload: string) => void = () => undefined;
  client.on('notification', (message: pg.Notification) => {
    const payload = message.payload ?? '';
    if (payload.startsWith('mark-')) onMark(payload);
    else payloads.push(payload);
  });
  await client.query('listen wallet_sync');
  return {
    async heard() {
      const mark = `mark-${++marks}`;
      const arrived = new Promise<void>((resolve) => (onMark = (payload) => payload === mark && resolve()));
      await database.journal.query("select pg_notify('wallet_sync', $1)", [mark]);
      await arrived;
      const rung = payloads;
      payloads = [];
      return rung;
    },
  };
}
