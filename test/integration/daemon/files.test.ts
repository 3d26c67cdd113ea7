import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { signUpMany } from '../../../dev/signUp.js';
import { publicKeyOf } from '../../../src/flow/keys.js';
import { startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld();
});
afterAll(() => world.stop());

it('flow-production.json and the key files follow each assignment, and each key file opens its user’s account', async () => {
  const daemon = world.daemon();
  const folder = join(world.stack.folder, 'accounts');
  const signUps = await signUpMany(world.stack.authPool, 12);
  await world.ready(signUps);
  const entries = async () => (JSON.parse(await readFile(join(folder, 'flow-production.json'), 'utf8').catch(() => '{"accounts":{}}')) as { accounts: Record<string, { address: string; key: { location: string } }> }).accounts;
  await until(10_000, async () => Object.keys(await entries()).length === 12);
  const { rows } = await world.stack.servicePool.query<{ auth_id: string; flow_address: string; flow_public_key: string; flow_private_key: string }>('select auth_id, flow_address, flow_public_key, flow_private_key from public.wallet');
  const written = await entries();
  for (const row of rows) {
    expect(written[row.auth_id]).toEqual({
      address: row.flow_address,
      key: { type: 'file', location: `accounts/pkeys/${row.auth_id}.pkey`, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' },
    });
    const key = await readFile(join(folder, 'pkeys', `${row.auth_id}.pkey`), 'utf8');
    expect(publicKeyOf(key)).toBe(row.flow_public_key);
    expect(row.flow_private_key).toMatch(/^v1:[0-9a-f]{8}:/);
    expect(row.flow_private_key).not.toContain(key);
  }
  expect((await stat(join(folder, 'pkeys'))).mode & 0o777).toBe(0o700);
  for (const name of await readdir(join(folder, 'pkeys'))) expect((await stat(join(folder, 'pkeys', name))).mode & 0o777).toBe(0o600);
  await daemon.stop();
});
