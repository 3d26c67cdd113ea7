import type { WebSocket } from 'ws';
import { JoinSchema, createSubscription, type Subscription } from './subscription.js';
import type { Change } from './changes.js';
import { readFrame, writeFrame, type Frame, type Version } from './frames.js';
import type { Claims, Keys } from './keys.js';
import type { View, Viewer } from './visibility.js';

/** Unsent bytes that a socket may hold before it is cut: a reader this slow would otherwise be kept in memory without end. */
const MAX_UNSENT_BYTES = 1_048_576;
/** Phoenix cuts a socket that says nothing for a minute; clients send a heartbeat every 25 s. */
const SILENCE_LIMIT_MS = 60_000;
/** Channels a client may have on one socket, as on hosted projects' smallest plan. */
const MAX_CHANNELS = 100;

interface Channel {
  readonly joinRef: string | null;
  readonly subscriptions: readonly Subscription[];
  claims: Claims;
}

export interface Connection {
  /** Sends a change to those channels that asked for it and whose role may see it. */
  deliver(change: Change, view: Viewer): Promise<void>;
  /** Cuts the socket without a closing handshake. */
  cut(): void;
}

export interface ConnectionOptions {
  readonly socket: WebSocket;
  readonly version: Version;
  /** Of the API key that the socket was opened with. */
  readonly claims: Claims;
  readonly keys: Keys;
  /** Whether a table (or any, where none is named) is in the publication. */
  readonly isPublished: (schema: string, table: string | undefined) => Promise<boolean>;
  /** Resolves once changes are being received from Postgres. */
  readonly live: () => Promise<void>;
  readonly nextId: () => number;
}

/** Speaks Phoenix channels on one socket: join, leave, heartbeat, new tokens, and changes. */
export function openConnection(options: ConnectionOptions): Connection {
  const { socket, version, keys } = options;
  const channels = new Map<string, Channel>();

  const send = (frame: Frame): void => {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > MAX_UNSENT_BYTES) return socket.terminate();
    socket.send(writeFrame(version, frame));
  };
  const reply = (to: Frame, status: 'ok' | 'error', response: Record<string, unknown> = {}): void =>
    send({ joinRef: to.joinRef, ref: to.ref, topic: to.topic, event: 'phx_reply', payload: { status, response } });

  let silence = setTimeout(() => socket.terminate(), SILENCE_LIMIT_MS);
  socket.on('close', () => {
    clearTimeout(silence);
    channels.clear();
  });
  socket.on('message', (data, isBinary) => {
    clearTimeout(silence);
    silence = setTimeout(() => socket.terminate(), SILENCE_LIMIT_MS);
    const frame = isBinary ? null : readFrame(version, String(data));
    if (frame !== null) handle(frame);
  });

  function handle(frame: Frame): void {
    if (frame.topic === 'phoenix') return frame.event === 'heartbeat' ? reply(frame, 'ok') : undefined;
    switch (frame.event) {
      case 'phx_join':
        return join(frame);
      case 'phx_leave':
        channels.delete(frame.topic);
        reply(frame, 'ok');
        return send({ ...frame, ref: null, event: 'phx_close', payload: {} });
      case 'access_token':
        return renew(frame);
      default:
        return reply(frame, channels.has(frame.topic) ? 'ok' : 'error', channels.has(frame.topic) ? {} : { reason: 'unmatched topic' });
    }
  }

  function join(frame: Frame): void {
    const asked = JoinSchema.safeParse(frame.payload);
    if (!asked.success) return reply(frame, 'error', { reason: 'Invalid join payload' });
    if (!channels.has(frame.topic) && channels.size >= MAX_CHANNELS) return reply(frame, 'error', { reason: 'ChannelRateLimitReached: Too many channels' });
    try {
      const claims = asked.data.access_token == null ? options.claims : keys.verify(asked.data.access_token);
      const subscriptions = asked.data.config.postgres_changes.map((binding) => createSubscription(options.nextId(), binding));
      const channel: Channel = { joinRef: frame.joinRef, subscriptions, claims };
      channels.set(frame.topic, channel);
      // The client compares each binding with its own: a key that it did not send would be a mismatch.
      reply(frame, 'ok', { postgres_changes: subscriptions.map(({ id, binding }) => ({ id, ...binding })) });
      if (subscriptions.length > 0) confirm(frame.topic, channel).catch(() => undefined);
    } catch (error) {
      reply(frame, 'error', { reason: error instanceof Error ? error.message : 'Invalid token' });
    }
  }

  /** The second answer: only then do changes flow. */
  async function confirm(topic: string, channel: Channel): Promise<void> {
    const system = (status: 'ok' | 'error', message: string): void => {
      if (channels.get(topic) !== channel) return;
      send({ joinRef: channel.joinRef, ref: null, topic, event: 'system', payload: { status, message, extension: 'postgres_changes', channel: topic.replace(/^realtime:/, '') } });
    };
    for (const { binding } of channel.subscriptions) {
      if (await options.isPublished(binding.schema, binding.table)) continue;
      return system('error', `Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: [schema: ${binding.schema}, table: ${binding.table ?? '*'}]`);
    }
    await options.live();
    system('ok', 'Subscribed to PostgreSQL');
  }

  function renew(frame: Frame): void {
    const channel = channels.get(frame.topic);
    const token = frame.payload['access_token'];
    if (channel === undefined || typeof token !== 'string') return;
    try {
      channel.claims = keys.verify(token);
    } catch (error) {
      channels.delete(frame.topic);
      send({ ...frame, ref: null, event: 'system', payload: { status: 'error', extension: 'system', channel: frame.topic.replace(/^realtime:/, ''), message: error instanceof Error ? error.message : 'Invalid token' } });
      send({ ...frame, ref: null, event: 'phx_close', payload: {} });
    }
  }

  return {
    async deliver(change, view) {
      for (const [topic, channel] of channels) {
        const ids = channel.subscriptions.filter((subscription) => subscription.matches(change)).map((subscription) => subscription.id);
        if (ids.length === 0) continue;
        const seen = await view(channel.claims);
        if (seen === null || channels.get(topic) !== channel) continue;
        send({ joinRef: null, ref: null, topic, event: 'postgres_changes', payload: { ids, data: toData(change, seen) } });
      }
    },
    cut: () => socket.terminate(),
  };
}

function toData(change: Change, seen: View): Record<string, unknown> {
  return {
    schema: change.schema,
    table: change.table,
    type: change.type,
    commit_timestamp: change.committedAt,
    columns: seen.columns,
    ...(seen.record === null ? {} : { record: seen.record }),
    ...(seen.oldRecord === null ? {} : { old_record: seen.oldRecord }),
    errors: null,
  };
}
