import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { regionOfArn } from '../../src/kms/arn.js';
import { PACKAGE_VERSION } from '../../src/kms/kms.js';
import { packagePath } from '../../src/packagePath.js';

it('the version that an error says to install is the one that is tested, and nobody has to have it', () => {
  const { peerDependencies, peerDependenciesMeta, devDependencies, dependencies } = JSON.parse(readFileSync(packagePath('package.json'), 'utf8')) as Record<string, Record<string, unknown>>;
  expect(peerDependencies).toEqual({ '@aws-sdk/client-kms': PACKAGE_VERSION });
  expect(devDependencies!['@aws-sdk/client-kms']).toBe(PACKAGE_VERSION);
  expect(peerDependenciesMeta).toEqual({ '@aws-sdk/client-kms': { optional: true } });
  expect(dependencies).not.toHaveProperty('@aws-sdk/client-kms');
});

it.each([
  ['arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab', 'eu-central-1'],
  ['arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab', 'us-east-1'],
  ['arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/wallets/master', 'us-gov-west-1'],
  ['arn:aws-cn:kms:cn-north-1:111122223333:key/1', 'cn-north-1'],
  ['1234abcd-12ab-34cd-56ef-1234567890ab', null],
  ['alias/master', null],
  ['arn:aws:s3:eu-central-1:111122223333:key/1', null],
  ['arn:aws:kms:eu-central-1:111122223333:key/1 ', null],
  ['arn:aws:kms::111122223333:key/1', null],
])('the region of %s is %s', (arn, region) => {
  expect(regionOfArn(arn)).toBe(region);
});
