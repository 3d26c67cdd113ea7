import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packagePath } from '../src/packagePath.js';

it('docs/ready.md shows the very example that is compiled and run', () => {
  const example = readFileSync(packagePath('docs', 'examples', 'whenWalletIsReady.ts'), 'utf8');
  expect(readFileSync(packagePath('docs', 'ready.md'), 'utf8')).toContain(`\`\`\`ts\n${example}\`\`\``);
});
