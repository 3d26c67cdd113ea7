import type { Finding } from './check.js';

const MARKS = { ok: '✓', warn: '!', fail: '✗', skipped: '–' } as const;
const COLOURS = { ok: '\x1b[32m', warn: '\x1b[33m', fail: '\x1b[31m', skipped: '\x1b[2m' } as const;
const PLAIN = '\x1b[0m';

/** How many findings are of each state. */
export function tallyOf(findings: readonly Finding[]): Record<Finding['state'], number> {
  const of = (state: Finding['state']): number => findings.filter((finding) => finding.state === state).length;
  return { ok: of('ok'), warn: of('warn'), fail: of('fail'), skipped: of('skipped') };
}

/** A line for each finding, its mend under it, and the sum. */
export function findingsToText(findings: readonly Finding[], options: { colour: boolean } = { colour: false }): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const indent = ' '.repeat(width + 4);
  const lines = findings.flatMap(({ name, state, found, mend }) => [
    `${options.colour ? `${COLOURS[state]}${MARKS[state]}${PLAIN}` : MARKS[state]} ${name.padEnd(width)}  ${found.replaceAll('\n', `\n${indent}`)}`,
    ...(mend === null ? [] : [`${indent}mend: ${mend.replaceAll('\n', `\n${indent}`)}`]),
  ]);
  const { ok, warn, fail, skipped } = tallyOf(findings);
  return [...lines, '', `${ok} ok, ${warn} to look at, ${fail} wrong, ${skipped} skipped`].join('\n');
}
