import { z } from 'zod';
import { ARN_EXAMPLE, regionOfArn } from '../kms/arn.js';

/** The parts of the Flow CLI's flow.json that are used; all others are left alone. */

const Address = z.string().regex(/^(?:0x)?[0-9a-f]{1,16}$/i, 'not a Flow address');

const Aliases = z.record(z.string(), Address).default({});

/** A contract is a path, or an object with its addresses by network. */
const Contract = z.union([z.string(), z.object({ aliases: Aliases })]);

const KeyIndex = z.number().int().nonnegative();

const Algorithms = {
  signatureAlgorithm: z.enum(['ECDSA_P256', 'ECDSA_secp256k1']).default('ECDSA_P256'),
  hashAlgorithm: z.enum(['SHA3_256', 'SHA2_256']).default('SHA3_256'),
};

const Indexes = { index: KeyIndex.optional(), indexes: z.array(KeyIndex).min(1).optional() };

const FileKey = z.object({ type: z.literal('file'), location: z.string().min(1), ...Algorithms, ...Indexes });

/** A key that never leaves AWS KMS, in the form that the Flow CLI gives to those of Google's. */
const KmsKey = z.object({
  type: z.literal('aws-kms'),
  resourceID: z.string().refine((arn) => regionOfArn(arn) !== null, `must be the ARN of a KMS key, like ${ARN_EXAMPLE}`),
  ...Algorithms,
  ...Indexes,
});

/**
 * A key in a file or in AWS KMS. `indexes` is this program's own: an account whose key pair was added several times proposes with each of them.
 * A key in flow.json itself is refused: the file is committed, and copied with ease.
 */
const Key = z
  .unknown()
  .refine((key) => typeof key !== 'string', 'the private key is inline; move it to a file of mode 0600 and name it with "type": "file" and "location"')
  .refine((key) => typeof key !== 'object' || key === null || !('privateKey' in key), 'the private key is inline; move it to a file of mode 0600 and name it with "type": "file" and "location"')
  .pipe(
    z
      .discriminatedUnion('type', [FileKey, KmsKey], 'only keys with "type": "file" or "aws-kms" are supported')
      .transform(({ index, indexes, ...key }) => ({ ...key, indexes: [...new Set(indexes ?? [index ?? 0])] })),
  );

const Account = z.object({ address: Address, key: Key });

export const FlowJson = z.object({
  contracts: z.record(z.string(), Contract).default({}),
  dependencies: z.record(z.string(), Contract).default({}),
  accounts: z.record(z.string(), Account).default({}),
});

export type FlowJson = z.infer<typeof FlowJson>;
export type FlowAccount = z.infer<typeof Account>;
export type FlowKey = z.infer<typeof Key>;
