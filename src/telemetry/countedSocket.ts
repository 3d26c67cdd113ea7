import WebSocket, { type RawData } from 'ws';
import type { Telemetry } from './events.js';

const bytesOf = (data: unknown): number => (typeof data === 'string' ? Buffer.byteLength(data) : data instanceof ArrayBuffer || ArrayBuffer.isView(data) ? data.byteLength : Array.isArray(data) ? data.reduce<number>((sum, each) => sum + bytesOf(each), 0) : 0);

/** A WebSocket for Supabase Realtime that tells of each message as of a call: what passes through it is counted beside the other peers'. */
export function createCountedSocket(telemetry: Pick<Telemetry, 'emit'>): typeof WebSocket {
  const tell = (sentBytes: number, receivedBytes: number): void => telemetry.emit({ kind: 'call-done', peer: 'supabase', call: 'realtime', durationMs: 0, sentBytes, receivedBytes, isAnswered: true });
  return class extends WebSocket {
    constructor(...args: ConstructorParameters<typeof WebSocket>) {
      super(...args);
      this.on('message', (data: RawData) => tell(0, bytesOf(data)));
    }

    override send(...args: unknown[]): void {
      tell(bytesOf(args[0]), 0);
      super.send(...(args as Parameters<WebSocket['send']>));
    }
  } as typeof WebSocket;
}
