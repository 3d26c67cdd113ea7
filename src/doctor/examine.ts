import { toAppError } from '../errors.js';
import { pickSettings } from '../settings.js';
import { failOf, type Check, type Finding, type Outcome, type Surroundings } from './check.js';

export interface ExamineOptions {
  /** For each check, in milliseconds. Default 5,000. */
  readonly eachMs?: number;
  /** For all of them together, in milliseconds. Default 18,000. */
  readonly allMs?: number;
}

/**
 * Runs all checks, each as soon as those it rests on are done, and gives their findings in the order of `checks`. One whose ground has failed
 * is skipped, and so is one whose settings are wrong: `settings` says how. No check and no surroundings can make it throw, or take longer than `allMs`.
 */
export async function examine(checks: readonly Check[], surroundings: Surroundings, options: ExamineOptions = {}): Promise<Finding[]> {
  const { eachMs = 5_000, allMs = 18_000 } = options;
  const deadline = performance.now() + allMs;
  const begun = new Map<string, Promise<Finding>>();
  for (const check of checks) {
    const grounds = check.needs.map((name) => {
      const ground = begun.get(name);
      if (ground === undefined) throw new Error(`${check.name} needs ${name}, which is none of the checks before it`);
      return ground;
    });
    begun.set(check.name, examineOne(check, grounds, surroundings, () => Math.min(eachMs, deadline - performance.now())));
  }
  return Promise.all(begun.values());
}

async function examineOne(check: Check, grounds: readonly Promise<Finding>[], surroundings: Surroundings, limitMs: () => number): Promise<Finding> {
  const failed = (await Promise.all(grounds)).filter((ground) => ground.state === 'fail' || ground.state === 'skipped').map((ground) => ground.name);
  const wrong = check.settings.filter((name) => !isValid(surroundings, name));
  const missing = [...failed, ...wrong];
  if (missing.length > 0) return { name: check.name, state: 'skipped', found: `needs ${missing.join(', ')}`, mend: null };
  const outcome = await withLimit(limitMs(), check.examine(surroundings)).catch((thrown: unknown) => failOf(toAppError(thrown), 'see docs/architecture.md'));
  return { name: check.name, mend: null, ...outcome };
}

function isValid(surroundings: Surroundings, name: Check['settings'][number]): boolean {
  try {
    pickSettings(surroundings.environment, [name]);
    return true;
  } catch {
    return false;
  }
}

async function withLimit(limitMs: number, work: Promise<Outcome>): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => {
      resolve({ state: 'fail', found: `no answer within ${Math.round(Math.max(0, limitMs) / 100) / 10} s`, mend: 'see whether what it asks is up and can be reached from here: a firewall that drops packets looks like this' });
    }, Math.max(0, limitMs));
  });
  // What it is still doing then is left to the process's end.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
