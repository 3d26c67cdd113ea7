/**
 * Resolves with the first SIGTERM or SIGINT. A second one exits at once, with the status a shell expects of an interrupted
 * process (128 + signal number).
 */
export function onStopSignals(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first = true;
    const hear = (signal: NodeJS.Signals, number: number) => (): void => {
      if (!first) process.exit(128 + number);
      first = false;
      resolve(signal);
    };
    process.on('SIGTERM', hear('SIGTERM', 15));
    process.on('SIGINT', hear('SIGINT', 2));
  });
}
