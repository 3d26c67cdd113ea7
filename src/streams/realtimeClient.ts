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
    realtime: { transport: guardSocket(transport) as never },
  });
}

/** Realtime leaves out of a row what is longer than 1 MB. */
const MAX_FRAME_BYTES = 4_000_000;

/**
 * A socket that ends where its client can't read what came. supabase-js 2.109 (read in its source) parses each frame and takes its shape for granted, and what
 * it throws inside a socket's event would end the process. The source hears of the lost socket and joins anew.
 */
export function guardSocket(transport: typeof WebSocket): typeof WebSocket {
  return class extends transport {
    constructor(address: string | URL, protocols?: string | string[], options?: WebSocket.ClientOptions) {
      super(address, protocols, { ...options, maxPayload: MAX_FRAME_BYTES });
    }

    override emit(event: string | symbol, ...args: unknown[]): boolean {
      if (event !== 'message') return super.emit(event, ...args);
      try {
        return super.emit(event, ...args);
      } catch {
        this.terminate();
        return true;
      }
    }
  } as typeof WebSocket;
}
