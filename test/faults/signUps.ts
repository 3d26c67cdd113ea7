import type pg from 'pg';
import { signUp, type SignUp } from '../../dev/signUp.js';

export interface SignUpStream {
  /** Those signed up so far. */
  readonly done: readonly SignUp[];
  /** Ends the stream; resolves when the last sign-up is committed. */
  stop(): Promise<readonly SignUp[]>;
}

/**
 * Sign-ups that go on, one every `everyMs` milliseconds, whatever happens to the daemons. Each must succeed, unless `again` says that
 * the database goes away: then a user whose sign-up failed is another one, as with an application that shows the error.
 */
export function startSignUps(pool: pg.Pool, everyMs: number, options: { readonly again?: boolean } = {}): SignUpStream {
  const done: SignUp[] = [];
  let stopped = false;
  const running = (async () => {
    while (!stopped) {
      try {
        done.push(await signUp(pool));
      } catch (error) {
        if (options.again !== true) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  running.catch(() => undefined);
  return {
    done,
    async stop() {
      stopped = true;
      await running;
      return done;
    },
  };
}
