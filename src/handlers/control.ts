import { readControl, recordControl, takeResyncs } from '../journal/control.js';
import type { Instance } from './instance.js';

/** What operators' NOTIFYs carry: a command, or (null) only that the control row changed. */
export interface HeardCommand {
  readonly command: { readonly name: 'resync' | 'pause' | 'resume'; readonly authId?: string } | null;
  readonly senderPid: number | null;
}

export interface ControlOptions {
  /** Called where a resync of all was asked for: a sweep must follow. */
  readonly onResyncAll: () => void;
  /** Called where what was read may be work for us. */
  readonly onWork: () => void;
}

export interface Control {
  /** As the row was last read; true until it has been read once. */
  isPaused(): boolean;
  /** Records what was heard and not recorded yet, reads the row, and takes the resyncs that are open. */
  read(): Promise<void>;
  /** The same, for commands that have just been heard. */
  obey(heard: readonly HeardCommand[]): Promise<void>;
}

/** Each command that was heard costs a statement: more of them than this are no operator's. */
const MANY = 20;

/** What operators want, read from its rows: a NOTIFY only says that they changed. */
export function createControl(instance: Instance, options: ControlOptions): Control {
  const { journal, log, id } = instance;
  let paused = true;
  /** Commands heard and not recorded yet: one that meets a database fault is kept for the next reading. */
  const unrecorded: HeardCommand[] = [];

  const recordCommands = async (): Promise<void> => {
    for (let heard = unrecorded[0]; heard !== undefined; heard = unrecorded[0]) {
      if (heard.command !== null) await recordControl(journal, heard.command, heard.senderPid);
      unrecorded.shift();
    }
  };

  const readNow = async (): Promise<void> => {
    // Before what was heard is recorded: a pause that is a row already does not wait behind a flood of NOTIFYs.
    if (unrecorded.length > MANY && (await readControl(journal)).paused) paused = true;
    await recordCommands();
    const { paused: now, resyncs } = await readControl(journal);
    const hasChanged = now !== paused;
    if (hasChanged) log.info({ paused: now }, now ? 'paused' : 'working');
    paused = now;
    if (paused) return;
    const requests = resyncs ? await takeResyncs(journal, id) : [];
    if (requests.includes(null)) options.onResyncAll();
    if (requests.length > 0 || hasChanged) options.onWork();
  };

  /** One at a time, so that an older answer never overwrites a newer one. */
  let lastRead: Promise<void> = Promise.resolve();
  const read = (): Promise<void> => (lastRead = lastRead.catch(() => undefined).then(readNow));

  return {
    isPaused: () => paused,
    read,
    async obey(heard) {
      for (const each of heard) {
        if (each.command !== null) log.info({ command: each.command.name, senderPid: each.senderPid }, 'control heard');
        unrecorded.push(each);
      }
      await read();
      // What has changed may be work for us: new slots, accounts to be tried again.
      if (!paused) options.onWork();
    },
  };
}
