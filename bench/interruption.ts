/** Rejects at the first SIGINT or SIGTERM; a second one exits at once, and guards remove what is left. */
export function onInterruption(): Promise<never> {
  const interrupted = new Promise<never>((_, reject) => {
    let first = true;
    for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15]] as const) {
      process.on(signal, () => {
        if (!first) process.exit(128 + number);
        first = false;
        reject(new Error(`interrupted (${signal})`));
      });
    }
  });
  interrupted.catch(() => undefined);
  return interrupted;
}
