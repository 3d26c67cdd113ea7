/** Writes to standard output. False where nobody reads any more, as behind `head`. Waits while the reader is slow, so that memory does not grow. */
export function write(text: string): Promise<boolean> {
  return new Promise((resolve) => process.stdout.write(text, (error) => resolve(error == null)));
}
