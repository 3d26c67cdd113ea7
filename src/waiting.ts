/** A promise and what resolves it. */
export function createDeferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** Waits for the work, but at most `limitMs`; then it goes on unwatched, and what it throws later is dropped. Throws what it throws meanwhile. */
export async function within(limitMs: number, work: Promise<unknown> | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, limitMs)))]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for a fact, at most `atMostMs`. */
export async function waitUntil(isTrue: () => boolean, atMostMs: number): Promise<void> {
  const deadline = Date.now() + atMostMs;
  while (!isTrue() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
}
