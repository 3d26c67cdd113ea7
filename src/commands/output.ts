/** Writes a command's answer: one JSON line with `--json`, else text. */
export function print(json: boolean, value: unknown, text: string): void {
  process.stdout.write(`${json ? JSON.stringify(value) : text}\n`);
}
