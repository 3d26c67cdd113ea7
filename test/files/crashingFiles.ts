import type { FileHandle } from 'node:fs/promises';
import type * as FilePromises from 'node:fs/promises';

/** What a full disk answers, or what a process that dies finds: every call from then on fails. */
export class Crash extends Error {
  override readonly name = 'Crash';
  readonly code = 'ENOSPC';
  readonly syscall = 'write';
}

/**
 * Real file calls that are counted, and fail or end from the chosen one on. Put in place of node:fs/promises by
 * `vi.mock('node:fs/promises', async (original) => crashingFiles.wrap(await original()))`.
 */
export function createCrashingFiles() {
  let step = 0;
  let failAt = Infinity;
  let isCrash = false;
  let unsynced = new Set<string>();
  let renamedUnsynced: string[] = [];
  let isFull: (path: string) => boolean = () => false;
  const names: string[] = [];

  /** Counts one call. `torn` is what may have happened of it when the process died in it. */
  const count = async (name: string, torn?: () => Promise<unknown>): Promise<void> => {
    step += 1;
    names.push(name);
    if (step < failAt || (step > failAt && !isCrash)) return;
    if (step === failAt) await torn?.();
    throw new Crash(`${name} (call ${step})`);
  };

  const wrapHandle = (handle: FileHandle, path: string): FileHandle => {
    const isWritten = new Set<string | symbol>(['writeFile', 'write', 'truncate', 'appendFile']);
    return new Proxy(handle, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]): Promise<unknown> => {
          const call = (...given: unknown[]): Promise<unknown> => (value as (...given: unknown[]) => Promise<unknown>).apply(target, given);
          // A dying process's handles are closed by the system.
          if (property === 'close') {
            await call();
            return count('close');
          }
          await count(String(property), tornWrite(property, args, call));
          if (isWritten.has(property)) unsynced.add(path);
          if (isWritten.has(property) && isFull(path)) {
            await tornWrite(property, args, call)?.();
            throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28, syscall: 'write' });
          }
          const result = await call(...args);
          if (property === 'sync') unsynced.delete(path);
          return result;
        };
      },
    });
  };

  return {
    /** No failure, and nothing counted yet. */
    reset(): void {
      step = 0;
      failAt = Infinity;
      names.length = 0;
      unsynced = new Set();
      renamedUnsynced = [];
    },
    /** Call number `call` (from 1) fails once: a full disk, a refused permission. */
    failFrom(call: number): void {
      this.reset();
      failAt = call;
      isCrash = false;
    },
    /** The process dies in call number `call` (from 1): it and all later ones do nothing. */
    crashFrom(call: number): void {
      this.reset();
      failAt = call;
      isCrash = true;
    },
    /** There is no space for these files: half of a write arrives and the rest is refused. */
    fillDisk(isFullFor: (path: string) => boolean): void {
      isFull = isFullFor;
    },
    /** How many calls were made since the last reset. */
    calls: () => step,
    names: (): readonly string[] => names,
    /** Files whose content was not fsynced when they were renamed: empty after a power cut. */
    renamedUnsynced: (): readonly string[] => renamedUnsynced,
    wrap(real: typeof FilePromises): typeof FilePromises {
      const counted =
        <A extends unknown[], R>(name: string, call: (...args: A) => Promise<R>) =>
        async (...args: A): Promise<R> => {
          await count(name);
          return call(...args);
        };
      return {
        ...real,
        link: counted('link', real.link),
        opendir: counted('opendir', real.opendir as (...args: unknown[]) => Promise<unknown>) as typeof real.opendir,
        stat: counted('stat', real.stat as (...args: unknown[]) => Promise<unknown>) as typeof real.stat,
        lstat: counted('lstat', real.lstat as (...args: unknown[]) => Promise<unknown>) as typeof real.lstat,
        mkdir: counted('mkdir', real.mkdir as (...args: unknown[]) => Promise<unknown>) as typeof real.mkdir,
        chmod: counted('chmod', real.chmod),
        rm: counted('rm', real.rm),
        readFile: counted('readFile', real.readFile as (...args: unknown[]) => Promise<unknown>) as typeof real.readFile,
        async copyFile(from, to, mode) {
          await count('copyFile');
          unsynced.add(String(to));
          await real.copyFile(from, to, mode);
        },
        async writeFile(path, ...rest) {
          await count('writeFile');
          unsynced.add(String(path));
          await real.writeFile(path, ...rest);
        },
        async open(path, ...rest) {
          await count('open');
          return wrapHandle(await real.open(path, ...rest), String(path));
        },
        async rename(from, to) {
          await count('rename');
          if (unsynced.has(String(from))) renamedUnsynced.push(String(from));
          await real.rename(from, to);
        },
      };
    },
  };
}

/** A write of which the first half reached the file. */
function tornWrite(property: string | symbol, args: readonly unknown[], call: (...given: unknown[]) => Promise<unknown>): (() => Promise<unknown>) | undefined {
  if (property === 'writeFile') return () => call(firstHalf(args[0]), ...args.slice(1));
  return property === 'write' ? () => call(args[0], args[1], Math.floor(Number(args[2]) / 2)) : undefined;
}

function firstHalf(content: unknown): unknown {
  if (typeof content === 'string') return content.slice(0, content.length / 2);
  return Buffer.isBuffer(content) ? content.subarray(0, content.length / 2) : content;
}
