import { setTimeout as pause } from 'node:timers/promises';
import { prettyFactory } from 'pino-pretty';
import { z } from 'zod';
import { readEnvironment } from '../environment.js';
import { AppError, toAppError } from '../errors.js';
import { livingInstances, type LivingInstance } from '../journal/instances.js';
import { pickSettings } from '../settings.js';
import { onStopSignals } from '../shutdown.js';
import { addressForLogs } from './logAddress.js';
import { streamLogs } from './streamLogs.js';
import { withJournal } from './withJournal.js';

export interface LogsOptions {
  readonly follow: boolean;
  readonly user: string | undefined;
  readonly level: string;
  /** One instance: its id, or host:pid. */
  readonly instance: string | undefined;
  readonly limit: string;
  readonly json: boolean;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
/** How often the journal is asked for instances that have begun since. */
const LOOK_MS = 2_000;

type Take = (instance: LivingInstance, line: string) => void;

/** `wallet-sync logs`: the last lines of the running instances' logs, and with --follow what they write from now on, until SIGINT. */
export async function runLogs(options: LogsOptions): Promise<void> {
  const query = readOptions(options);
  const { HTTP_TOKEN: token } = pickSettings(readEnvironment(), ['DATABASE_URL', 'HTTP_TOKEN']);
  const stop = new AbortController();
  void onStopSignals().then(() => stop.abort());
  // Whoever reads along may have seen enough: `wallet-sync logs | head`.
  process.stdout.on('error', () => process.exit(0));
  const stream = (instance: LivingInstance, take: (line: string) => void): Promise<void> => streamLogs({ ...addressForLogs(instance, token), query, signal: stop.signal, take });
  if (options.follow) await follow(options, stop.signal, stream);
  else await showLast(options, Number(options.limit), stream);
}

/** As /api/logs takes them. Throws `usage` before anything is asked. */
function readOptions({ user, level, limit, follow }: LogsOptions): URLSearchParams {
  if (user !== undefined && !z.guid().safeParse(user).success) throw new AppError('usage', 'is not a user id (uuid)', { where: '--user' });
  if (!LEVELS.includes(level)) throw new AppError('usage', `must be one of ${LEVELS.join(', ')}`, { where: '--level' });
  if (!/^\d{1,4}$/.test(limit) || Number(limit) > 2_000) throw new AppError('usage', 'must be a whole number from 0 to 2000', { where: '--limit' });
  return new URLSearchParams({ level, limit, follow: follow ? '1' : '0', ...(user === undefined ? {} : { user }) });
}

const nameOf = ({ host, pid }: LivingInstance): string => `${host}:${pid}`;

/** The living instances that were asked for and answer over HTTP; a command's own run is one that does not. */
async function findInstances({ instance: wanted }: LogsOptions): Promise<LivingInstance[]> {
  const all = await withJournal(livingInstances);
  return all.filter((each) => each.http_url !== null && (wanted === undefined || each.id === wanted || nameOf(each) === wanted));
}

async function showLast(options: LogsOptions, limit: number, stream: (instance: LivingInstance, take: (line: string) => void) => Promise<void>): Promise<void> {
  const instances = await findInstances(options);
  if (instances.length === 0) throw nobody(options);
  const lines: { readonly instance: LivingInstance; readonly line: string; readonly time: string }[] = [];
  const failures: AppError[] = [];
  await Promise.all(
    instances.map((instance) => stream(instance, (line) => void lines.push({ instance, line, time: timeOf(line) })).catch((thrown: unknown) => void failures.push(toAppError(thrown)))),
  );
  const show = createPrinter(options.json, () => instances.length > 1);
  // Sorting keeps the order of one instance's lines within a millisecond.
  const merged = lines.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  for (const { instance, line } of merged.slice(Math.max(0, merged.length - limit))) show(instance, line);
  if (failures[0] !== undefined && failures.length === instances.length) throw failures[0];
  for (const failure of failures) say(failure.explain());
}

async function follow(options: LogsOptions, signal: AbortSignal, stream: (instance: LivingInstance, take: (line: string) => void) => Promise<void>): Promise<void> {
  /** Each instance ever followed, with the time of its last line: one that is connected to again repeats nothing. */
  const known = new Map<string, string>();
  const attached = new Set<string>();
  const unreachable = new Set<string>();
  const show = createPrinter(options.json, () => known.size > 1);
  const attach = async (instance: LivingInstance): Promise<void> => {
    const seenUntil = known.get(instance.id) ?? '';
    known.set(instance.id, seenUntil);
    attached.add(instance.id);
    try {
      await stream(instance, (line) => {
        const time = timeOf(line);
        if (time !== '' && time <= seenUntil) return;
        unreachable.delete(instance.id);
        known.set(instance.id, time === '' ? (known.get(instance.id) ?? '') : time);
        show(instance, line);
      });
      if (!signal.aborted) say(`${nameOf(instance)} has ended its log`);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toAppError(thrown);
      // Alone and by name asked for: it will not become another.
      if (error.kind === 'usage' && (options.instance !== undefined || known.size === 1)) throw error;
      if (!unreachable.has(instance.id)) say(seenUntil === '' ? error.explain() : `${nameOf(instance)} is gone: ${error.message}`);
      unreachable.add(instance.id);
    } finally {
      attached.delete(instance.id);
    }
  };

  let failed: unknown = null;
  let isWaiting = false;
  while (!signal.aborted && failed === null) {
    const instances = await findInstances(options).catch((thrown: unknown) => {
      // Whoever follows already goes on doing so.
      if (known.size === 0) throw thrown;
      return [];
    });
    for (const instance of instances) if (!attached.has(instance.id)) attach(instance).catch((thrown: unknown) => (failed = thrown));
    if (attached.size > 0) isWaiting = false;
    else if (!isWaiting) {
      isWaiting = true;
      say('no instance is running: waiting for one');
    }
    await pause(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  if (failed !== null) throw failed;
}

/** Pretty lines for a terminal, NDJSON elsewhere and with --json; marked with their instance where there are several. */
function createPrinter(json: boolean, isOneOfMany: () => boolean): Take {
  const pretty = json || !process.stdout.isTTY ? null : prettyFactory({ colorize: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' });
  return (instance, line) => {
    if (pretty !== null) process.stdout.write(`${isOneOfMany() ? `${nameOf(instance)} ` : ''}${pretty(line)}`);
    // In front of all: a line is an object that begins with its level.
    else process.stdout.write(`${isOneOfMany() ? line.replace('{', () => `{"instance":${JSON.stringify(nameOf(instance))},`) : line}\n`);
  };
}

const timeOf = (line: string): string => /"time":"([^"]+)"/.exec(line)?.[1] ?? '';
const say = (text: string): void => void process.stderr.write(`${text}\n`);

function nobody({ instance }: LogsOptions): AppError {
  if (instance !== undefined) return new AppError('data', `no running instance is ${instance}, or it answers nowhere`, { where: '--instance', mend: '`wallet-sync status` lists them' });
  return new AppError('data', 'no instance is running that answers over HTTP', { where: 'wallet_sync.instance', mend: 'start one with `wallet-sync run`, or wait for one with --follow' });
}
