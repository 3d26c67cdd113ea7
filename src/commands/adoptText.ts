import type { AdoptReport, ClassCount } from '../handlers/adopt/report.js';

/** The table of classes, and below it who needs somebody's attention and what mends it. */
export function adoptToText(report: AdoptReport, isDryRun: boolean): string {
  const { rows, files, classes, sealed, adopted, provisioned } = report;
  const width = (values: readonly string[]): number => Math.max(0, ...values.map((value) => value.length));
  const titles = width(classes.map((each) => each.title));
  const counts = width(classes.map((each) => count(each.count)));
  const lines = [`${count(rows)} rows of public.wallet, ${count(files)} entries of flow-production.json`];
  for (const each of classes) lines.push(`  ${each.title.padEnd(titles)}  ${count(each.count).padStart(counts)}  ${each.action}`);
  for (const each of classes) if (each.mend !== null) lines.push('', ...listed(each));
  lines.push('', isDryRun ? 'Only looked: nothing was changed.' : `Keys encrypted: ${count(sealed)}. Wallets taken into the journal: ${count(adopted)}. Users who get a new account: ${count(provisioned)}.`);
  return lines.join('\n');
}

function listed({ title, count: total, mend, users }: ClassCount): string[] {
  return [
    `${title}: ${count(total)}`,
    `  mend: ${mend ?? ''}`,
    ...users.map(({ user, reason }) => `  ${user}  ${reason}`),
    ...(total > users.length ? [`  and ${count(total - users.length)} more`] : []),
  ];
}

const count = (value: number): string => value.toLocaleString('en-US');
