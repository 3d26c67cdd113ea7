import type pg from 'pg';
import { signUp, type SignUp } from '../../dev/signUp.js';

export interface SignUpStream {
  /** Those signed up so far. */
  readonly done: readonly SignUp[];
  /** Ends the stream; resolves when the last sign-up is committed. */
  stop(): Promise<readonly SignUp[]>;
}

/** Sign-ups that go on, one every `everyMs` milliseconds, whatever happens to the daemons. Each must succeed. */
export function startSignUps(pool: pg.Pool, everyMs: number): SignUpStream {
  const done: SignUp[] = [];
  let stopped = false;
  const running = (async () => {
    while (!stopped) {
      done.push(await signUp(pool));
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
