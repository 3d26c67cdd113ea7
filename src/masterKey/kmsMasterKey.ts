import { AppError } from '../errors.js';
import { ARN_EXAMPLE, regionOfArn } from '../kms/arn.js';
import { openKms } from '../kms/kms.js';

/** Bound to each wrapped master key: what was wrapped for anything else does not open, and a policy can ask for these words. */
export const MASTER_KEY_CONTEXT = { service: 'flow-wallet-sync', purpose: 'master key' } as const;

/**
 * A new master key, made and wrapped inside KMS, as WALLET_ENCRYPTION_KEY has it: nobody has seen it, whoever ran the command included. The key's ARN goes
 * with it, so that nothing else unwraps it. Throws `usage` where `keyArn` is none, or KMS's error.
 */
export async function generateKmsMasterKey(keyArn: string, where: string): Promise<string> {
  const region = regionOfArn(keyArn);
  if (region === null) throw new AppError('usage', 'not the ARN of a KMS key', { where, mend: `name the key as ${ARN_EXAMPLE}` });
  const kms = await openKms({ region, where });
  const made = await kms.wrapNewKey(keyArn, MASTER_KEY_CONTEXT);
  return `aws-kms:${made.keyArn}:${made.wrapped.toString('base64')}`;
}

/** The master key that KMS wrapped. */
export async function unwrapMasterKey(content: { readonly wrapped: Buffer; readonly keyArn: string | null }, where: string): Promise<Buffer> {
  const kms = await openKms({ region: content.keyArn === null ? null : regionOfArn(content.keyArn), where });
  return kms.unwrap(content.wrapped, MASTER_KEY_CONTEXT, content.keyArn);
}
