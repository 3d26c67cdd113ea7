import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packagePath } from '../../src/packagePath.js';

it('the package holds all that the image and an operator need', () => {
  const packed = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--offline'], { cwd: packagePath(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) as { files: { path: string }[] }[];
  const paths = packed[0]!.files.map(({ path }) => path);
  for (const name of readdirSync(packagePath('sql'))) expect(paths).toContain(`sql/${name}`);
  for (const path of ['deploy/Dockerfile', 'deploy/compose.yaml', 'deploy/kubernetes/wallet-sync.yaml', 'docs/operations.md', 'docs/failures.md', '.env.example', 'flow/flow.json', 'cadence/contracts/BaitCoin.cdc']) expect(paths).toContain(path);
  expect(paths.filter((path) => /(^|\/)(\.env|.*\.pkey)$|^(test|dev|src|node_modules)\//.test(path))).toEqual([]);
}, 30_000);
