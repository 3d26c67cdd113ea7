/** What a label may say. Each list is closed, so that no user, address or text of a peer ever makes a series; whatever else comes counts as `other`. */
export const LABELS = {
  source: ['notify', 'realtime', 'poll', 'timer', 'control', 'start', 'reconnect', 'sweep', 'made', 'trigger'],
  signal: ['user', 'sweep', 'control'],
  does: ['create', 'fund', 'repair', 'add-keys'],
  end: ['sealed', 'failed', 'given up'],
  error: ['usage', 'rate-limit', 'network', 'sequence', 'expired', 'computation', 'funds', 'data', 'chain-state', 'files', 'internal'],
  stage: ['user_fetch', 'wallet_validation', 'blockchain_state_check', 'vault_management', 'funding_check', 'config_generation'],
  call: ['script', 'transaction', 'event', 'read', 'users', 'realtime'],
  work: ['assign', 'make', 'sweep', 'control', 'heartbeat', 'tend', 'export', 'stop'],
  limit: ['flow_short', 'flow_long', 'accounts_short'],
  user: ['ready', 'waiting', 'held', 'corrupted', 'orphaned'],
  account: ['prepared', 'submitted', 'free', 'assigned', 'expired', 'set_aside', 'failed'],
} as const;

/** The value where the list has it, else `other`. */
export const bounded = (label: keyof typeof LABELS, value: string): string => ((LABELS[label] as readonly string[]).includes(value) ? value : 'other');
