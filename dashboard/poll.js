// What is asked for again and again; not while nobody looks.

/**
 * Runs `ask` now and `everyMs` after each answer. A hidden page asks nothing, and at once when it is seen again.
 * @param {() => Promise<void>} ask
 * @param {number} everyMs
 * @returns {{ now: () => void }}
 */
export function poll(ask, everyMs) {
  let timer = 0;
  let asking = false;
  let again = false;
  const run = async () => {
    clearTimeout(timer);
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    do {
      again = false;
      // Whoever asks shows what went wrong; here it only must not end the polling.
      await ask().catch(() => undefined);
    } while (again);
    asking = false;
    if (!document.hidden) timer = window.setTimeout(() => void run(), everyMs);
  };
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) clearTimeout(timer);
    else void run();
  });
  void run();
  return { now: () => void run() };
}
