import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../log.js';

/** A path is anyone's text. */
const PATH_LENGTH = 200;

export interface AccessLog {
  /** Logs the request once, when its answer has gone out or its connection has ended. */
  watch(request: IncomingMessage, response: ServerResponse): void;
  /** Logs it now: a stream's answer may go on for days. */
  note(response: ServerResponse): void;
}

/** A line for each access: who, what (without its query, which may hold anything), how it ended, and how long it took. */
export function createAccessLog(log: Log): AccessLog {
  const open = new WeakMap<ServerResponse, () => void>();
  return {
    watch(request, response) {
      const began = performance.now();
      const method = request.method ?? '';
      const path = (request.url ?? '').split(/[?#]/, 1)[0]?.slice(0, PATH_LENGTH) ?? '';
      const remote = request.socket.remoteAddress;
      open.set(response, () => {
        open.delete(response);
        log[path === '/healthz' ? 'debug' : 'info']({ method, path, status: response.statusCode, durationMs: Math.round((performance.now() - began) * 10) / 10, remote }, 'http access');
      });
      response.once('close', () => open.get(response)?.());
    },
    note: (response) => open.get(response)?.(),
  };
}
