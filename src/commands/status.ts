import { readStatus, type StatusReport } from '../journal/report.js';
import { cycleLine } from './cycleText.js';
import { print } from './output.js';
import { withJournal } from './withJournal.js';

/** `wallet-sync status`: wallets, accounts, slots and instances. */
export async function runStatus(options: { json: boolean }): Promise<void> {
  const report = await withJournal(readStatus);
  print(options.json, report, statusToText(report));
}

const listCounts = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts).map(([name, value]) => `${value} ${name}`).join(', ') || 'none';

/** The report as text, a line a fact. */
export function statusToText(report: StatusReport): string {
  const failed = (report.accounts['failed'] ?? 0) + report.corrupted + report.apart;
  return [
    `wallets    ${report.ready} ready of ${report.wallets}, ${report.waiting} waiting${oldest(report.oldest_waiting_s)}, ${report.corrupted} corrupted, ${report.orphaned} orphaned`,
    `accounts   ${listCounts(report.accounts)}`,
    ...(failed === 0 ? [] : [`failed     ${failed}: \`wallet-sync status --failed\` says why`]),
    `delivered  ${listCounts(report.delivered_by)}; ${report.pool_hits} from the pool`,
    `slots      ${report.slots_free} free of ${report.slots}, ${report.live_transactions} transactions unsealed${oldest(report.oldest_transaction_s)}`,
    ...report.slots_out.map(({ slot, reason }) => `  ${slot} is out of rotation: ${reason}`),
    `instances  ${report.instances.map(nameOf).join(', ') || 'none is running'}`,
    ...report.instances.flatMap(troublesOf),
    `sweep      ${report.last_cycle === null ? 'none yet' : cycleLine(report.last_cycle)}`,
    ...limitLines(report.limits),
    ...webhooksLine(report.webhooks),
    ...(report.rotating_to === null ? [] : [`rotation   to master key ${report.rotating_to} is under way: \`wallet-sync keys rotate --status\``]),
    ...(report.paused ? ['paused     nothing is made, given or sent until `wallet-sync resume`'] : []),
  ].join('\n');
}

function webhooksLine({ pending, failed, oldest_pending_s, last_error }: StatusReport['webhooks']): string[] {
  if (pending + failed === 0) return [];
  return [`webhooks   ${pending} to be delivered${oldest(oldest_pending_s)}, ${failed} failed within a week${last_error === null ? '' : `; last: ${last_error}`}`];
}

/** All limits in one line, and one more for each that is reached. */
function limitLines(limits: StatusReport['limits']): string[] {
  const set = limits.filter(({ most }) => most !== null);
  if (set.length === 0) return ['limits     none is set'];
  const unit = ({ limit }: StatusReport['limits'][number]): string => (limit === 'accounts_short' ? 'accounts' : 'FLOW');
  return [
    `limits     ${set.map((each) => `${shortly(each.used)} of ${shortly(each.most)} ${unit(each)} in ${each.window_s} s`).join(', ')}`,
    ...set
      .filter(({ reached }) => reached)
      .map((each) => `  the limit of ${shortly(each.most)} ${unit(each)} in ${each.window_s} s is reached: work waits ${each.room_in_s === null ? 'for what is under way' : `for ${Math.ceil(each.room_in_s)} s`}, sign-ups go on`),
  ];
}

const shortly = (value: string | number | null): string => String(value).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');

type Living = StatusReport['instances'][number];

const oldest = (seconds: number | null): string => (seconds === null ? '' : ` (the oldest for ${Math.round(seconds)} s)`);
const nameOf = (instance: Living): string => `${instance.host}:${instance.pid}`;

/** A line for each source, and for the access node, that is not as it should be, and for the last failure. */
function troublesOf(instance: Living): string[] {
  const peers = { ...instance.sources, ...(instance.access_node === null ? {} : { 'access node': instance.access_node }) };
  const last = instance.last_error;
  return [
    ...Object.entries(peers)
      .filter(([, peer]) => peer.state !== 'ok')
      .map(([name, peer]) => `  ${nameOf(instance)} ${name} is ${peer.state}${peer.reason === null ? '' : `: ${peer.reason}`}`),
    ...(last === null ? [] : [`  ${nameOf(instance)} last error, at ${last.at.slice(0, 19)}Z: ${last.message.split('\n')[0] ?? ''}`]),
  ];
}
