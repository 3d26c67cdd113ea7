import { createHash } from 'node:crypto';
import { errorAnswer, type NodeAnswer } from '../../dev/accessNodeAnswers.js';
import { addressOfKey } from './keyAddress.js';

/** A question to checkWallets.cdc. */
export interface Question {
  readonly addresses: readonly string[];
  readonly publicKeys: readonly string[];
}

/** What a script may compute; the emulator's own number. */
const COMPUTATION_LIMIT = 100_000;

const CONTENT_TYPE = 'application/json; charset=UTF-8';

/** The chain's name for a script: types that it declares carry it. */
export const scriptIdOf = (code: string): string => createHash('sha3-256').update(code).digest('hex');

/** Reads a script call's two arguments (base64 of JSON-Cadence). */
export function readQuestion(args: readonly string[]): Question {
  const [addresses = [], publicKeys = []] = args.map((text) => {
    const list = JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as { value: readonly { value: string }[] };
    return list.value.map((item) => item.value);
  });
  return { addresses, publicKeys };
}

/**
 * What checkWallets.cdc answers where every wallet is whole: byte for byte the emulator's (test/integration/simulatedNode.test.ts). Only the
 * key is looked at. `flowBalance` as the chain writes it.
 */
export function createAnswers(options: { readonly scriptId: string; readonly flowBalance: string }): (question: Question, height: number) => NodeAnswer {
  const field = (name: string, value: string): string => `{"value":${value},"name":"${name}"}`;
  const balance = `{"value":"${options.flowBalance}","type":"UFix64"}`;

  return ({ addresses, publicKeys }, height) => {
    // All six bits, or all but the key's.
    const flags = addresses.map((address, i) => (isKeyOf(publicKeys[i] ?? '', address) ? '3f' : '3d')).join('');
    const fields = [
      field('height', `{"value":"${height}","type":"UInt64"}`),
      field('flags', `{"value":"${flags}","type":"String"}`),
      field('balances', `{"value":[${addresses.map(() => balance).join(',')}],"type":"Array"}`),
    ];
    const answer = `{"value":{"id":"s.${options.scriptId}.Answer","fields":[${fields.join(',')}]},"type":"Struct"}\n`;
    return { status: 200, contentType: CONTENT_TYPE, text: Buffer.from(`"${Buffer.from(answer).toString('base64')}"`) };
  };
}

/** Whether the key is the account's, by the simulated chain's rule. */
export const isKeyOf = (publicKey: string, address: string): boolean => addressOfKey(publicKey) === address;

/** To a script that computes more than it may, captured from the emulator. */
export function computationExceeded(scriptId: string): NodeAnswer {
  const answer = errorAnswer(
    400,
    `Invalid Flow argument: [Error Code: 1110] error caused by: 1 error occurred:\n\t* [Error Code: 1101] cadence runtime error: Execution failed:\n` +
      `error: computation error: [Error Code: 1110] computation limit exceeded (used: ${COMPUTATION_LIMIT + 1}, limit: ${COMPUTATION_LIMIT})\n--> ${scriptId}\n\n` +
      'Was this error unhelpful?\nConsider suggesting an improvement here: https://github.com/onflow/cadence/issues.\n\n\n',
  );
  // The node's server writes > so that it can stand in a web page.
  return { ...answer, text: Buffer.from(answer.text.toString().replaceAll('>', '\\u003e')) };
}
