import { formatAmount } from '../flow/amount.js';
import type { Estimate, ListedFinding } from '../handlers/sweep/estimate.js';
import type { Cycle } from '../journal/cycles.js';

const flow = (amount: bigint): string => `${formatAmount(amount).replace(/0+$/, '').replace(/\.$/, '')} FLOW`;
const count = (value: number): string => value.toLocaleString('en-US');
const listCounts = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts).map(([name, value]) => `${count(value)} ${name}`).join(', ');

/** A cycle's record, for a person. */
export function cycleToText(cycle: Cycle, unsettled: number): string {
  const durationMs = (cycle.ended_at ?? new Date()).getTime() - cycle.started_at.getTime();
  return [
    `sweep      ${cycle.id} (${cycle.reason}, users from ${cycle.source ?? 'nowhere'}): ${(durationMs / 1_000).toFixed(1)} s${cycle.ended_at === null ? ', not at its end' : ''}`,
    `wallets    ${count(cycle.total_wallets)} users, ${count(cycle.synced_wallets)} right, ${count(cycle.corrupted_wallets)} corrupted, ${count(cycle.waiting)} waiting, ${count(cycle.set_apart)} set apart, ${count(cycle.unknown)} not known`,
    `made       ${count(cycle.wallets_created)} rows, ${count(cycle.vaults_created)} vaults (${count(cycle.vaults_already_exist)} were there)`,
    `FLOW       ${count(cycle.flow_balance_checks)} balances, ${count(cycle.flow_funding_needed)} too low: ${count(cycle.flow_funding_success)} funded, ${count(cycle.flow_funding_errors)} not; ${flow(BigInt(cycle.flow_spent))} spent`,
    ...(cycle.limited === 0 ? [] : [`limited    ${count(cycle.limited)} wallets are left as they are until a limit has room for them: \`wallet-sync status\``]),
    `calls      ${listCounts(cycle.calls) || 'none'}`,
    ...(Object.keys(cycle.errors).length === 0 ? [] : [`errors     ${listCounts(cycle.errors)}`]),
    ...(cycle.corrupted_wallets === 0 ? [] : ['           `wallet-sync status --corrupted` says which and why']),
    ...(unsettled === 0 ? [] : [`unsettled  ${count(unsettled)} transactions: they are counted when they settle`]),
  ].join('\n');
}

/** The same in one line, for where it is one thing of many. */
export function cycleLine(cycle: Cycle): string {
  const when = cycle.ended_at === null ? `began ${cycle.started_at.toISOString().slice(0, 19)}Z` : `ended ${cycle.ended_at.toISOString().slice(0, 19)}Z`;
  return `${cycle.id} ${when}: ${count(cycle.total_wallets)} users, ${count(cycle.synced_wallets)} right, ${count(cycle.vaults_created)} vaults made, ${count(cycle.flow_funding_success)} funded${cycle.limited === 0 ? '' : `, ${count(cycle.limited)} held by a limit`}, ${flow(BigInt(cycle.flow_spent))} spent`;
}

/** What a sweep would find and do, for a person. */
export function estimateToText({ counters, waiting, transactions, flow: cost, scripts }: Estimate): string {
  return [
    `wallets    ${count(counters.total_wallets)} users, ${count(counters.synced_wallets)} right, ${count(counters.corrupted_wallets)} corrupted, ${count(waiting)} waiting`,
    `would make ${count(counters.wallets_created)} rows`,
    `would send ${count(transactions.repair)} repairs, ${count(transactions.fund)} fundings of ${count(counters.flow_funding_needed - counters.flow_funding_errors)} wallets`,
    `would cost ${flow(cost.deposits)} for wallets, about ${flow(cost.fees)} in fees`,
    `calls      ${count(scripts)} script`,
    'Nothing was written or sent.',
  ].join('\n');
}

/** One line for one finding. */
export function findingToText({ authId, address, finding, reason }: ListedFinding): string {
  return [authId, address ?? '-', finding, ...(reason === null ? [] : [reason.split('\n')[0] ?? ''])].join('  ');
}
