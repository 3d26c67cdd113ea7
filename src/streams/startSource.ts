import { of, type Observable } from 'rxjs';
import type { Signal } from './signal.js';

/** What a process that has just begun asks for, at once: whoever waits, then everyone. */
export function createStartSource(): Observable<Signal> {
  return of<Signal[]>({ kind: 'user', authId: null, source: 'start' }, { kind: 'sweep', reason: 'start', source: 'start' });
}
