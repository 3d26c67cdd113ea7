import { createClient } from '@supabase/supabase-js';
import WebSocket from 'ws';
import type { RealtimeHost } from './joinRealtime.js';

/** A supabase-js client for one channel: a socket of its own, the service role key for it and for the channel, nothing kept. */
export function createRealtimeClient({ url, key }: { readonly url: string; readonly key: string }): RealtimeHost {
  return createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
    // Node 20 has no global WebSocket.
    realtime: { transport: WebSocket as never },
  });
}
