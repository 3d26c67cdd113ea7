import { createFeed, type Feed } from '../journal/feed.js';
import type { Journal } from '../journal/pool.js';
import type { Log } from '../log.js';
import { cycleToJson } from './cycleJson.js';
import type { ServiceReader } from './service.js';
import { eventFrame, type StreamClient } from './streamClient.js';

const POLL_MS = 1_000;

export interface EventStream {
  /** A client has come: it gets the status as soon as what follows it is certain to reach it. */
  begin(client: StreamClient): void;
  stop(): void;
}

export interface EventStreamOptions {
  readonly journal: Journal;
  readonly service: Pick<ServiceReader, 'read'>;
  readonly log: Log;
  /** Sends the same bytes to every client. */
  readonly send: (frame: Buffer) => void;
  /** Clients connected. */
  readonly size: () => number;
  /** Default 1,000, in milliseconds. */
  readonly pollMs?: number;
}

/**
 * What happens in the service, from one poll of the journal that all clients share and that rests while there are none. Each event is
 * written once, as bytes, however many read it.
 */
export function createEventStream({ journal, service, log, send, size, pollMs = POLL_MS }: EventStreamOptions): EventStream {
  let timer: NodeJS.Timeout | null = null;
  let feed: Feed | null = null;
  let isPolling = false;
  let isStopped = false;
  let isFailing = false;
  /** Who has come since the last poll, and has nothing yet. */
  let fresh: StreamClient[] = [];
  let told = '';

  const poll = async (): Promise<void> => {
    feed ??= createFeed(journal);
    const arrived = fresh;
    fresh = [];
    try {
      const { signUps, ready, cycles } = await feed.news();
      const frames = [
        ...signUps.map((signUp) => eventFrame('sign-up', JSON.stringify(signUp))),
        ...ready.map((each) => eventFrame('ready', JSON.stringify(each))),
        ...cycles.map((cycle) => eventFrame('cycle', JSON.stringify(cycleToJson(cycle)))),
      ];
      if (frames.length > 0) send(Buffer.concat(frames));
      const status = await service.read();
      const text = JSON.stringify({ ...status, service: { ...status.service, now: null } });
      const frame = eventFrame('status', JSON.stringify(status));
      if (text !== told) send(frame);
      else for (const client of arrived) client.send(frame);
      told = text;
      if (isFailing) log.info('event stream reads the journal again');
      isFailing = false;
    } catch (thrown) {
      // They are told at the next poll that works.
      fresh = [...arrived, ...fresh];
      if (!isFailing) log.warn({ reason: thrown instanceof Error ? thrown.message : String(thrown) }, 'event stream cannot read the journal');
      isFailing = true;
    }
  };

  const schedule = (inMs: number): void => {
    if (isStopped || timer !== null || isPolling) return;
    timer = setTimeout(() => {
      timer = null;
      if (size() === 0) {
        // Whoever comes next begins anew: what happened meanwhile is in the status.
        feed = null;
        told = '';
        fresh = [];
        return;
      }
      const began = performance.now();
      isPolling = true;
      void poll().finally(() => {
        isPolling = false;
        schedule(Math.max(0, pollMs - (performance.now() - began)));
      });
    }, inMs);
  };

  return {
    begin(client) {
      // Followed already: what comes from now on reaches it, and the status is known.
      if (told !== '') return void service.read().then((status) => client.send(eventFrame('status', JSON.stringify(status))), () => fresh.push(client));
      fresh.push(client);
      schedule(0);
    },
    stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
