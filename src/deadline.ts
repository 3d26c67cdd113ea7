import { setMaxListeners } from 'node:events';

/**
 * Runs `work` with a signal that aborts after `limitMs` (with a TimeoutError, as AbortSignal.timeout does) or with the signal given. It has a
 * timer and a listener of its own, because a timeout signal inside AbortSignal.any can be garbage-collected before it fires, and then never
 * aborts (nodejs/node#57736). It ends with the signal also where the work does not heed it.
 */
export async function withDeadline<T>(limitMs: number, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const follow = (): void => controller.abort(signal.reason);
  const timer = setTimeout(() => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')), limitMs);
  // Each call has one, and takes it away again: more than ten are no leak.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', follow, { once: true });
  if (signal.aborted) follow();
  const aborted = new Promise<never>((_, reject) => controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error), { once: true }));
  try {
    controller.signal.throwIfAborted();
    return await Promise.race([work(controller.signal), aborted]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', follow);
  }
}
