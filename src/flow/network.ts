import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { AppError } from '../errors.js';
import { readSmallFile } from '../bounds/readSmallFile.js';
import { normalizeAddress } from './address.js';
import { isAddressOf, type NetworkName } from './addressSpace.js';
import { FlowJson, type FlowAccount } from './flowJson.js';
import { openFunderKey } from './funderKey.js';
import type { Signer } from './sign.js';

/** An account that proposes and pays. */
export interface Funder {
  /** As in flow.json. */
  readonly name: string;
  readonly address: string;
  /** The keys that propose; one transaction at a time each. All of them are the same key pair. */
  readonly keyIndexes: readonly number[];
  readonly signer: Signer;
}

export interface Network {
  readonly name: NetworkName;
  /** What the access node must say of itself. */
  readonly chainId: string;
  /** REST URL, unless a setting names another. */
  readonly accessNode: string;
  /** Address by contract name. */
  readonly contracts: Readonly<Record<string, string>>;
  readonly funders: readonly Funder[];
}

/** The table of networks: chain ids and public REST access nodes (https://developers.flow.com/networks). flow.json's hosts are gRPC. */
const NETWORKS: Record<NetworkName, { chainId: string; accessNode: string }> = {
  mainnet: { chainId: 'flow-mainnet', accessNode: 'https://rest-mainnet.onflow.org' },
  testnet: { chainId: 'flow-testnet', accessNode: 'https://rest-testnet.onflow.org' },
  emulator: { chainId: 'flow-emulator', accessNode: 'http://127.0.0.1:8888' },
};

export interface NetworkOptions {
  readonly flowJsonPath: string;
  readonly network: string;
  /** Names in flow.json; default: every account named funder-* whose address belongs to the network. */
  readonly fundingAccounts?: readonly string[];
  /** Where FUNDER_KEY_<NAME> is looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads flow.json (the Flow CLI's format) for one network. Throws one `usage` error that lists everything wrong: a file that is
 * missing or no JSON, an inline key, a key file that others can read, a funding account that is not there. A key in AWS KMS is asked for its public key,
 * which can also throw `network` and `rate-limit`.
 */
export async function loadNetwork(options: NetworkOptions): Promise<Network> {
  const name = z.enum(['mainnet', 'testnet', 'emulator']).safeParse(options.network).data;
  if (name === undefined) throw new AppError('usage', `there is no network ${JSON.stringify(options.network)}`, { where: 'NETWORK', mend: 'set mainnet, testnet or emulator' });
  const flowJson = readFlowJson(options.flowJsonPath);

  const names = options.fundingAccounts ?? Object.keys(flowJson.accounts).filter((account) => /^funder-/.test(account) && belongsTo(flowJson.accounts[account], name));
  const funders: Funder[] = [];
  const faults: AppError[] = [];
  // Each object has a "constructor", and it is no account.
  for (const outcome of await Promise.allSettled([...new Set(names)].map((funder) => loadFunder(funder, Object.hasOwn(flowJson.accounts, funder) ? flowJson.accounts[funder] : undefined, options)))) {
    if (outcome.status === 'fulfilled') funders.push(outcome.value);
    else if (outcome.reason instanceof AppError) faults.push(outcome.reason);
    else throw outcome.reason;
  }
  const [first] = faults;
  if (first !== undefined) {
    if (faults.length === 1) throw first;
    const kind = faults.every((fault) => fault.kind === first.kind) ? first.kind : 'usage';
    throw new AppError(kind, `${faults.length} funding accounts cannot be used\n${faults.map((fault) => `- ${fault.explain()}`).join('\n')}`, { where: options.flowJsonPath });
  }
  return { name, ...NETWORKS[name], contracts: readContracts(flowJson, name), funders };
}

/** A project of hundreds of contracts has some 100 kB. */
const MAX_FLOW_JSON_BYTES = 4_000_000;

function readFlowJson(path: string): FlowJson {
  let text: string;
  try {
    text = readSmallFile(path, MAX_FLOW_JSON_BYTES);
  } catch (cause) {
    throw new AppError('usage', 'flow.json cannot be read', { where: path, mend: 'set FLOW_JSON to the path of flow.json', cause });
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // The parser's message can quote the text, and the text can hold a key.
    throw new AppError('usage', 'this is not JSON', { where: path });
  }
  const parsed = FlowJson.safeParse(body);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `- ${issue.path.join('.') || 'top'}: ${issue.message}`);
  throw new AppError('usage', `flow.json has faults\n${faults.join('\n')}`, { where: path });
}

function readContracts(flowJson: FlowJson, network: NetworkName): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [contract, entry] of [...Object.entries(flowJson.dependencies), ...Object.entries(flowJson.contracts)]) {
    const alias = typeof entry === 'string' ? undefined : entry.aliases[network];
    if (alias !== undefined) found[contract] = normalizeAddress(alias);
  }
  return found;
}

async function loadFunder(name: string, account: FlowAccount | undefined, options: NetworkOptions): Promise<Funder> {
  const where = `${options.flowJsonPath}: accounts.${name}`;
  if (account === undefined) throw new AppError('usage', 'there is no such account', { where, mend: 'correct FUNDING_ACCOUNTS, or add the account' });
  const address = normalizeAddress(account.address);
  const network = options.network as NetworkName;
  if (!belongsTo(account, network)) throw new AppError('usage', `${address} is not an address of ${network}`, { where, mend: 'name an account of that network' });
  const key = account.key;
  const signer = await openFunderKey({ name, where, folder: dirname(resolve(options.flowJsonPath)), key, env: options.env });
  return { name, address, keyIndexes: key.indexes, signer };
}

function belongsTo(account: FlowAccount | undefined, network: NetworkName): boolean {
  return account !== undefined && isAddressOf(account.address, network);
}
