import { randomUUID } from 'node:crypto';
import { readEnvironment } from '../environment.js';
import { AppError } from '../errors.js';
import { NO_FAULTS } from '../faultPoints.js';
import { MAX_KEYS_PER_TRANSACTION } from '../flow/addKeys.js';
import { normalizeAddress } from '../flow/address.js';
import { formatAmount } from '../flow/amount.js';
import { loadCadence } from '../flow/cadence.js';
import type { Funder, Network } from '../flow/network.js';
import { addKeys, planKeys, type AddedKeys, type KeysPlan } from '../handlers/addKeys.js';
import { limitsOf } from '../handlers/limits.js';
import { createStatistics } from '../handlers/statistics.js';
import { offerLimits } from '../journal/limits.js';
import { checkSchema } from '../journal/migrate.js';
import { createLog } from '../log.js';
import { LIMIT_SETTINGS, pickSettings } from '../settings.js';
import { onStopSignals } from '../shutdown.js';
import { createTelemetry } from '../telemetry/events.js';
import { CHAIN_SETTINGS, openChain } from './connectChain.js';
import { print } from './output.js';
import { toRanges } from './ranges.js';
import { confirm, startSpinner } from './terminal.js';
import { withJournal } from './withJournal.js';

/** `wallet-sync funders add-keys ACCOUNT --count N`: more keys to propose with, on chain and as slots. */
export async function runAddKeys(account: string, options: { count: string; yes: boolean; json: boolean }): Promise<void> {
  const count = readCount(options.count);
  const environment = readEnvironment();
  const settings = pickSettings(environment, ['DATABASE_URL', ...CHAIN_SETTINGS, 'TRANSACTION_EXPIRY', ...LIMIT_SETTINGS, 'FLOW_FUNDING_AMOUNT']);
  const { network, node, requireNetwork } = await openChain(settings, environment);
  const funder = findFunder(network, account, settings.FLOW_JSON);
  try {
    await withJournal(
      async (journal) => {
        await checkSchema(journal);
        await requireNetwork();
        // What the instances have registered holds; before the first one has, what this command is told.
        await offerLimits(journal, limitsOf(settings));
        const sender = { id: randomUUID(), settings, journal, node, network, cadence: loadCadence(network), log: createLog({ level: 'silent' }), statistics: createStatistics(), telemetry: createTelemetry(), faultPoints: NO_FAULTS, now: Date.now };
        const plan = await planKeys(sender, funder);
        if (!options.yes && !(await confirm(toQuestion(funder, count, plan)))) throw new AppError('data', 'not confirmed: nothing was added', { where: funder.name });

        const stop = new AbortController();
        void onStopSignals().then(() => stop.abort());
        const spinner = startSpinner();
        try {
          const added = await addKeys(sender, { funder, count, onProgress: (text) => spinner.say(text), stop: stop.signal });
          spinner.stop();
          print(options.json, toJson(funder, added), toText(funder, added));
        } finally {
          spinner.stop();
        }
      },
      // The lease is renewed beside whatever is under way.
      { maxConnections: 3 },
    );
  } finally {
    node.close();
  }
}

function readCount(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_KEYS_PER_TRANSACTION) throw new AppError('usage', `must be a whole number from 1 to ${MAX_KEYS_PER_TRANSACTION}`, { where: '--count' });
  return count;
}

/** A funding account by its name in flow.json or by its address. */
function findFunder(network: Network, account: string, flowJson: string): Funder {
  const isAddress = /^(0x)?[0-9a-f]{1,16}$/i.test(account);
  const funder = network.funders.find((each) => each.name === account) ?? (isAddress ? network.funders.find((each) => each.address === normalizeAddress(account)) : undefined);
  if (funder !== undefined) return funder;
  const known = network.funders.map((each) => `${each.name} (${each.address})`).join(', ');
  throw new AppError('usage', `${network.name} has no funding account ${JSON.stringify(account)}`, {
    where: flowJson,
    mend: known === '' ? 'add it there, named funder-1 or in FUNDING_ACCOUNTS' : `name one of ${known}`,
  });
}

const keys = (count: number): string => (count === 1 ? '1 key' : `${count} keys`);
const flow = (amount: bigint): string => `${formatAmount(amount).replace(/0+$/, '').replace(/\.$/, '')} FLOW`;

function toQuestion(funder: Funder, count: number, plan: KeysPlan): string {
  const earlier = plan.unsealed === 0 ? '' : `An earlier run's transaction is not sealed yet: its ${keys(plan.unsealed)} will be waited for and count.\n`;
  const fee = plan.fee === null ? 'a fee' : `a fee of at most about ${flow(plan.fee)}`;
  return `${earlier}Add ${keys(count)} to ${funder.name} (${funder.address}), which pays ${fee}?`;
}

function toJson(funder: Funder, added: readonly AddedKeys[]): unknown {
  return {
    funder: funder.name,
    address: funder.address,
    transactions: added.map((each) => ({ id: each.id, keys: each.count, key_indexes: each.keyIndexes, fee: each.fee === null ? null : formatAmount(each.fee), earlier: each.isEarlier })),
  };
}

function toText(funder: Funder, added: readonly AddedKeys[]): string {
  const lines = added.map((each) => {
    const indexes = each.keyIndexes.length === 0 ? '' : ` (${toRanges(each.keyIndexes)})`;
    const by = each.isEarlier ? `, by an earlier run's transaction ${each.id.slice(0, 8)}…` : '';
    return `Added ${keys(each.count)}${indexes} to ${funder.name} (${funder.address})${by}${each.fee === null ? '' : `; fee ${flow(each.fee)}`}.`;
  });
  if (added.every((each) => each.isEarlier)) lines.push('This run added none: run it again for more.');
  return [...lines, 'Every instance proposes with them from now on.'].join('\n');
}
