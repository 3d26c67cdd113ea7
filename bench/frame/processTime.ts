import { readFile } from 'node:fs/promises';

/** A tick of /proc, in milliseconds (USER_HZ is 100 on every Linux that Node runs on). */
export const TICK_MS = 10;

/** Processor time of a process so far, its threads included, in ticks (Linux). */
export async function processTicks(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name in brackets may hold spaces; utime and stime are the 14th and 15th field.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
