import { toAppError } from '../errors.js';
import type { Instance } from '../handlers/instance.js';
import { lastWalletId, recordMinute } from '../journal/history.js';
import type { ProcessSample } from './processSample.js';

export interface Recorder {
  /** Records the minute that has begun too, and ends. */
  stop(): Promise<void>;
}

const MINUTE_MS = 60_000;
/** What committed in the minute's last moment is in it, and clocks differ a little. */
const LATER_MS = 1_500;
/** Sign-ups under way get lower ids than those that overtake them, and a first look comes in the middle of a minute. */
const SLACK = 5_000;

/**
 * Writes the history: each minute once, soon after its end. One that can't be written is logged and missing, no more. The sign-ups of a
 * minute are sought above the id that was the last one two looks ago, so that a look reads the newest rows alone.
 */
export function startRecorder(instance: Instance, sample: () => ProcessSample): Recorder {
  const { journal, telemetry, log, id } = instance;
  let scripts = 0;
  let worstLagMs = 0;
  let lastIds: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  let isEnding = false;
  let recording: Promise<void> = Promise.resolve();
  const watching = telemetry.events$.subscribe((event) => {
    if (event.kind === 'script-done') scripts += 1;
  });
  // The sampler's windows last 10 s: the minute's worst is that of six.
  const lags = setInterval(() => (worstLagMs = Math.max(worstLagMs, sample().lagMs)), 10_000);
  lags.unref();

  const record = async (which: 'last' | 'current'): Promise<void> => {
    const last = await lastWalletId(journal);
    const { rssBytes, cpuRatio, lagMs } = sample();
    const taken = scripts;
    await recordMinute(journal, {
      instanceId: id,
      which,
      afterWalletId: Math.max(0, Math.min(last, ...lastIds) - SLACK),
      scripts: taken,
      rssBytes,
      cpuRatio,
      eventLoopLagMs: Math.max(worstLagMs, lagMs),
    });
    scripts -= taken;
    worstLagMs = 0;
    lastIds = [...lastIds.slice(-1), last];
  };
  const tryTo = async (which: 'last' | 'current'): Promise<void> => {
    try {
      await record(which);
    } catch (thrown) {
      log.warn({ reason: toAppError(thrown).message }, 'minute not recorded in the history');
    }
  };
  const schedule = (): void => {
    timer = setTimeout(() => {
      recording = tryTo('last').finally(() => {
        if (!isEnding) schedule();
      });
    }, MINUTE_MS - (Date.now() % MINUTE_MS) + LATER_MS);
    timer.unref();
  };
  void lastWalletId(journal).then((first) => (lastIds = [first]), () => undefined);
  schedule();

  return {
    async stop() {
      isEnding = true;
      clearTimeout(timer);
      clearInterval(lags);
      await recording;
      await tryTo('current');
      watching.unsubscribe();
    },
  };
}
