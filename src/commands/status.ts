import { readStatus, type StatusReport } from '../journal/report.js';
import { print } from './output.js';
import { withJournal } from './withJournal.js';

/** `wallet-sync status`: wallets, accounts, slots and instances. */
export async function runStatus(options: { json: boolean }): Promise<void> {
  const report = await withJournal(readStatus);
  print(options.json, report, toText(report));
}

const listCounts = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts).map(([name, value]) => `${value} ${name}`).join(', ') || 'none';

function toText(report: StatusReport): string {
  const oldest = report.oldest_waiting_s === null ? '' : ` (the oldest for ${Math.round(report.oldest_waiting_s)} s)`;
  return [
    `wallets    ${report.ready} ready of ${report.wallets}, ${report.waiting} waiting${oldest}, ${report.corrupted} corrupted`,
    `accounts   ${listCounts(report.accounts)}`,
    `delivered  ${listCounts(report.delivered_by)}; ${report.pool_hits} from the pool`,
    `slots      ${report.slots_free} free of ${report.slots}, ${report.live_transactions} transactions unsealed`,
    `instances  ${report.instances.map((instance) => `${instance.host}:${instance.pid}`).join(', ') || 'none is running'}`,
    ...report.instances.flatMap((instance) =>
      Object.entries(instance.sources)
        .filter(([, source]) => source.state !== 'ok')
        .map(([name, source]) => `  ${instance.host}:${instance.pid} ${name} is ${source.state}${source.reason === null ? '' : `: ${source.reason}`}`),
    ),
    ...(report.paused ? ['paused     nothing is made, given or sent until `wallet-sync resume`'] : []),
  ].join('\n');
}
