import { connectAccessNode, type AccessNode } from '../../src/flow/accessNode.js';
import { createLimiter } from '../../src/flow/limiter.js';
import { loadNetwork, type Network } from '../../src/flow/network.js';
import { createLog } from '../../src/log.js';
import { PUBLIC_LIMITS } from '../../dev/accessNodeProxy.js';
import type { Stack } from '../../dev/stack.js';
import type { BenchContext } from './benchmark.js';

export interface Contender {
  readonly node: AccessNode;
  readonly network: Network;
  readonly supabase: { readonly url: string; readonly serviceRoleKey: string };
}

/** What a contender speaks to the chain and to Supabase with: the same gate with the public limits, kept as the daemon keeps them. */
export async function openContender(context: BenchContext, stack: Stack): Promise<Contender> {
  const env = stack.env();
  const network = await loadNetwork({ flowJsonPath: env['FLOW_JSON'] ?? '', network: 'emulator', env: {} });
  const limiter = createLimiter({ scriptRps: PUBLIC_LIMITS.script, transactionRps: PUBLIC_LIMITS.transaction, eventRps: PUBLIC_LIMITS.event, readRps: PUBLIC_LIMITS.read });
  const node = connectAccessNode({ url: stack.accessNode.url, limiter, timeoutMs: 30_000, log: createLog({ level: 'silent' }) });
  context.onEnd(async () => node.close());
  return { node, network, supabase: { url: env['SUPABASE_URL'] ?? '', serviceRoleKey: env['SUPABASE_SERVICE_ROLE_KEY'] ?? '' } };
}
