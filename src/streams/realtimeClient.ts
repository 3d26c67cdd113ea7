import { createClient } from '@supabase/supabase-js';
import WebSocket from 'ws';
import type { RealtimeHost } from './joinRealtime.js';

export interface RealtimeClientOptions {
  readonly url: string;
  readonly key: string;
  /** Default: ws. Node 20 has no global WebSocket. */
  readonly transport?: typeof WebSocket;
}

/** A supabase-js client for one channel: a socket of its own, the service role key for it and for the channel, nothing kept. */
export function createRealtimeClient({ url, key, transport = WebSocket }: RealtimeClientOptions): RealtimeHost {
  return createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { transport: transport as never },
  });
}
