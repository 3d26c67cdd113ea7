// A server-sent stream that comes back. EventSource tries again by itself after a lost connection, but gives up for good after an
// answer that is no stream (a proxy's 502, a 401, a service that is starting), so a closed one is opened anew here.

/** Waits in ms: 1,000, 2,000, 4,000, 8,000, then 15,000; each drawn between a half and the whole, so that many pages don't come at once. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;

/**
 * Opens a stream and keeps it open.
 * @param {string} url
 * @param {Readonly<Record<string, (data: string) => void>>} handlers by event name
 * @param {{ onOpen: () => void, onLost: () => void }} watch `onLost` is called at each failed attempt
 * @returns {{ reopen: () => void, close: () => void }}
 */
export function openStream(url, handlers, watch) {
  /** @type {EventSource | null} */
  let source = null;
  let timer = 0;
  let failures = 0;

  const connect = () => {
    clearTimeout(timer);
    source?.close();
    const opened = new EventSource(url);
    source = opened;
    opened.addEventListener('open', () => {
      failures = 0;
      watch.onOpen();
    });
    opened.addEventListener('error', () => {
      if (source !== opened) return;
      watch.onLost();
      // Its own retry has no back-off: ours takes over in either case.
      opened.close();
      const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures++);
      timer = window.setTimeout(connect, wait * (0.5 + Math.random() / 2));
    });
    for (const [name, handle] of Object.entries(handlers)) {
      opened.addEventListener(name, (event) => handle(String(/** @type {MessageEvent} */ (event).data)));
    }
  };

  connect();
  return {
    reopen: connect,
    close() {
      clearTimeout(timer);
      source?.close();
      source = null;
    },
  };
}
