import { AppError } from '../errors.js';
import { readSecretFile } from '../secretFile.js';
import { keyFromText } from './keyText.js';
import { contentOf, type MasterKeyContent, type MasterKeySource } from './source.js';

/**
 * The master key, 32 bytes, from where the setting says. Asked once at a start: the key then is in this process's memory alone. Throws an AppError that names
 * the setting and never its value: `usage` where it can't be used as it is, `network` or `rate-limit` where KMS did not answer.
 */
export async function openMasterKey(source: MasterKeySource, setting = 'WALLET_ENCRYPTION_KEY'): Promise<Buffer> {
  const key = await open(contentOf(source), setting);
  if (key.length !== 32) throw new AppError('usage', `its key has ${key.length} bytes, not 32`, { where: setting });
  return key;
}

/** The master keys of the settings, asked beside each other: the one that seals, and a second one where a rotation needs it. */
export async function openMasterKeys(settings: { readonly WALLET_ENCRYPTION_KEY: MasterKeySource; readonly WALLET_ENCRYPTION_KEY_NEXT?: MasterKeySource | undefined }): Promise<{ masterKey: Buffer; nextMasterKey: Buffer | undefined }> {
  const next = settings.WALLET_ENCRYPTION_KEY_NEXT;
  const [masterKey, nextMasterKey] = await Promise.all([openMasterKey(settings.WALLET_ENCRYPTION_KEY), next === undefined ? undefined : openMasterKey(next, 'WALLET_ENCRYPTION_KEY_NEXT')]);
  return { masterKey, nextMasterKey };
}

async function open(content: MasterKeyContent, setting: string): Promise<Buffer> {
  switch (content.kind) {
    case 'value':
      return content.key;
    case 'file':
    case 'mounted':
      return openFile(content, setting);
    case 'aws-kms':
      // Loaded where it is named: nobody else has the package.
      return (await import('./kmsMasterKey.js')).unwrapMasterKey(content, setting);
  }
}

function openFile(content: MasterKeyContent & { kind: 'file' | 'mounted' }, setting: string): Buffer {
  let text: string;
  try {
    text = readSecretFile(content.path, content.trust);
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    throw new AppError(thrown.kind, `${content.path}: ${thrown.message}`, { where: setting, ...(thrown.mend === undefined ? {} : { mend: thrown.mend }) });
  }
  const key = keyFromText(text.replace(/\r?\n$/, ''));
  if (key === null) throw new AppError('usage', `${content.path}: it does not hold 32 bytes in hex (64 digits) or base64`, { where: setting, mend: 'write the key there alone, in one line' });
  return key;
}
