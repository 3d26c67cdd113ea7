import { AppError, toAppError } from '../errors.js';
import { connectAccessNode, type AccessNode } from '../flow/accessNode.js';
import { createLimiter, type Gate, type LimiterOptions } from '../flow/limiter.js';
import { loadNetwork, type Network } from '../flow/network.js';
import type { CallEnd, CallWatch } from '../flow/rest.js';
import { createLog, type Log } from '../log.js';
import type { Environment, Settings } from '../settings.js';

/** The settings that say which chain, through which access node, and how fast. */
export const CHAIN_SETTINGS = ['NETWORK', 'FLOW_JSON', 'FUNDING_ACCOUNTS', 'FLOW_ACCESS_NODE', 'SCRIPT_RPS', 'TRANSACTION_RPS', 'EVENT_RPS', 'READ_RPS'] as const;

export interface Chain {
  readonly network: Network;
  readonly node: AccessNode;
  /** Throws `usage` where the access node serves another chain than NETWORK says. */
  requireNetwork(): Promise<void>;
}

export interface ChainOptions {
  /** For each call. Default 5,000: somebody waits for the command. */
  readonly timeoutMs?: number;
  /** Default: silent. */
  readonly log?: Log;
  /** What all instances on the database pass. Default: none. */
  readonly gate?: Gate;
  readonly watch?: CallWatch;
  /** Told of each call as it passes the limiter, and when it has ended. */
  readonly onStart?: LimiterOptions['onStart'];
  readonly onCall?: (end: CallEnd) => void;
}

/** flow.json's network and its access node, which is asked nothing yet; AWS KMS is, where it holds a funder's key. */
export async function openChain(settings: Pick<Settings, (typeof CHAIN_SETTINGS)[number]>, environment: Environment, options: ChainOptions = {}): Promise<Chain> {
  const network = await loadNetwork({
    flowJsonPath: settings.FLOW_JSON,
    network: settings.NETWORK,
    env: environment,
    ...(settings.FUNDING_ACCOUNTS === undefined ? {} : { fundingAccounts: settings.FUNDING_ACCOUNTS }),
  });
  const limiter = createLimiter({
    scriptRps: settings.SCRIPT_RPS,
    transactionRps: settings.TRANSACTION_RPS,
    eventRps: settings.EVENT_RPS,
    readRps: settings.READ_RPS,
    ...(options.gate === undefined ? {} : { gate: options.gate }),
    ...(options.onStart === undefined ? {} : { onStart: options.onStart }),
  });
  const url = settings.FLOW_ACCESS_NODE ?? network.accessNode;
  const node = connectAccessNode({
    url,
    limiter,
    timeoutMs: options.timeoutMs ?? 5_000,
    log: options.log ?? createLog({ level: 'silent' }),
    ...(options.watch === undefined ? {} : { watch: options.watch }),
    ...(options.onCall === undefined ? {} : { onCall: options.onCall }),
  });
  return {
    network,
    node,
    async requireNetwork() {
      const chainId = await node.chainId().catch((thrown: unknown) => {
        const { kind, message, where, mend } = toAppError(thrown);
        throw new AppError(kind, message, { where: where ?? new URL(url).host, mend: mend ?? 'check FLOW_ACCESS_NODE, and that the access node is up', cause: thrown });
      });
      if (chainId !== network.chainId) {
        throw new AppError('usage', `NETWORK is ${network.name} (${network.chainId}), but the access node serves ${chainId}`, { where: new URL(url).host, mend: 'correct NETWORK or FLOW_ACCESS_NODE' });
      }
    },
  };
}
