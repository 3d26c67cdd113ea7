import { grouped, MEBIBYTE, type Measured, type Promised } from './promises.js';

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const STATEMENT_WIDTH = 100;

/** The figures and promises as a table for a person. */
export function formatReport(measured: Measured, promises: readonly Promised[]): string {
  const { node, database, end } = measured;
  const figures: readonly (readonly [string, string])[] = [
    ['users', grouped(measured.users)],
    ['sweep, start to end of the process', seconds(measured.wallMs)],
    ['processor time of the process', seconds(measured.cpuMs)],
    ['checked addresses a second', grouped(Math.round(node.checked / (measured.wallMs / 1_000)))],
    ['script calls', `${grouped(node.scriptCalls)}: ${grouped(node.tooLarge)} too large, ${grouped(node.refused)} calls of any kind refused with 429`],
    ['addresses in answered scripts', grouped(node.checked)],
    ['resident memory', `${(measured.peakMemory / MEBIBYTE).toFixed(1)} MiB at most, ${grouped(measured.memorySamples)} samples and the kernel's own peak`],
    ["database's own time", `${seconds(database.ms)} in ${grouped(database.statements)} statements of wallet_sync_service (pg_stat_statements); ${grouped(database.blocksRead)} blocks read`],
    ['seeding before', seconds(measured.seedMs)],
  ];
  const lines = table(figures);
  lines.push('', 'costliest statements (calls, total, slowest):');
  for (const each of database.costliest) lines.push(`  ${grouped(each.calls).padStart(9)} ${seconds(each.ms).padStart(9)} ${`${each.slowestMs.toFixed(1)} ms`.padStart(12)}  ${each.text.slice(0, STATEMENT_WIDTH)}`);
  lines.push('', ...table(promises.map((each) => [`${each.kept ? 'PASS' : 'FAIL'}  ${each.name}`, `${each.measured}  (${each.limit})`])));
  if (end.answer !== null) lines.push('', `its own answer: ${JSON.stringify(end.answer)}`);
  if (end.code !== 0 && end.tail !== '') lines.push('', 'its last lines:', end.tail);
  return lines.join('\n');
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}
