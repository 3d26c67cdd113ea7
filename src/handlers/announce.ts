import { notifyReady, queueWebhooks } from '../journal/ready.js';
import type { Settings } from '../settings.js';
import type { Instance } from './instance.js';

export type AnnounceInstance = Pick<Instance, 'journal'> & { readonly settings: Pick<Settings, 'READY_NOTIFY' | 'WEBHOOK_URL'> };

/**
 * Tells on which wallets are ready, as far as that is asked for: with NOTIFY, and as messages for the webhook. It follows what was given,
 * by whomever, after its commit: nobody waits for it, and nothing fails with it. True where there are new messages.
 */
export async function announce({ journal, settings }: AnnounceInstance): Promise<boolean> {
  let hasMessages = false;
  if (settings.READY_NOTIFY) while ((await notifyReady(journal)) > 0);
  if (settings.WEBHOOK_URL !== undefined) while ((await queueWebhooks(journal)) > 0) hasMessages = true;
  return hasMessages;
}
