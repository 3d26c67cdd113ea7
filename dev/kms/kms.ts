import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { arnIn, makeKey, signDigest, spkiOf, unwrap, wrap, type KeySpec, type StandInKey } from './keys.js';
import { accessKeyOf, isSignedWith } from './signatureV4.js';

/**
 * A stand-in for AWS KMS that speaks its wire protocol (AWS JSON 1.1 over HTTP, X-Amz-Target TrentService.NAME, Signature Version 4) for what this program asks:
 * GenerateDataKeyWithoutPlaintext, Decrypt, GetPublicKey, Sign. Answers, errors (`__type`) and their status codes are those of the AWS KMS API reference.
 */
export interface KmsStandIn {
  readonly url: string;
  /** What has been asked, in order; repetitions too. */
  readonly calls: readonly KmsCall[];
  readonly faults: KmsFaults;
  /** What AWS's client needs to find it, as the identity that may do everything; and nothing of this machine's own AWS settings. */
  env(): Record<string, string>;
  makeKey(spec: KeySpec, privateKey?: string): StandInKey;
  stop(): Promise<void>;
}

export interface KmsCall {
  readonly action: string;
  readonly keyId: string | null;
  readonly context: Readonly<Record<string, string>> | null;
}

/** A fault that is asked for so many times holds for so many calls, then ends. */
export interface KmsFaults {
  /** The next calls are answered with this error, by its name in the API reference. */
  answer(type: string, times: number): void;
  /** The identity may no longer do this. */
  deny(action: string): void;
  /** Each call waits before it is answered, in milliseconds. */
  delay(ms: number): void;
  /** Signatures come out wrong. */
  lie(on: boolean): void;
  clear(): void;
}

const REGION = 'eu-central-1';
const ACCOUNT = '111122223333';
const IDENTITY = `arn:aws:iam::${ACCOUNT}:user/wallet-sync`;

/** Status codes of the API reference; what is not named is a 400. */
const STATUS: Readonly<Record<string, number>> = { KMSInternalException: 500, DependencyTimeoutException: 503, KeyUnavailableException: 500 };

class KmsFault extends Error {
  readonly type: string;
  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

const Bytes = z.base64().transform((text) => Buffer.from(text, 'base64'));
const Context = z.record(z.string(), z.string()).default({});
const Requests = {
  GenerateDataKeyWithoutPlaintext: z.object({ KeyId: z.string(), KeySpec: z.enum(['AES_256', 'AES_128']).optional(), EncryptionContext: Context }),
  Decrypt: z.object({ KeyId: z.string().optional(), CiphertextBlob: Bytes, EncryptionContext: Context }),
  GetPublicKey: z.object({ KeyId: z.string() }),
  Sign: z.object({ KeyId: z.string(), Message: Bytes, MessageType: z.enum(['RAW', 'DIGEST']).default('RAW'), SigningAlgorithm: z.string() }),
};

/** Starts one on a free port of this machine, with one identity. */
export async function startKms(): Promise<KmsStandIn> {
  const keys = new Map<string, StandInKey>();
  const calls: KmsCall[] = [];
  const credentials = { accessKeyId: 'AKIASTANDIN000000001', secretAccessKey: randomBytes(20).toString('hex') };
  const denied = new Set<string>();
  let next: string[] = [];
  let delayMs = 0;
  let lies = false;

  const findKey = (id: string, use: 'ENCRYPT_DECRYPT' | 'SIGN_VERIFY' | null): StandInKey => {
    const key = keys.get(id);
    if (key === undefined) throw new KmsFault('NotFoundException', `Key '${id}' does not exist`);
    if (key.state === 'Disabled') throw new KmsFault('DisabledException', `${key.arn} is disabled.`);
    if (key.state === 'PendingDeletion') throw new KmsFault('KMSInvalidStateException', `${key.arn} is pending deletion.`);
    if (key.state === 'Unavailable') throw new KmsFault('KeyUnavailableException', `${key.arn} is unavailable.`);
    const isSymmetric = key.spec === 'SYMMETRIC_DEFAULT';
    if (use === 'ENCRYPT_DECRYPT' && !isSymmetric) throw new KmsFault('InvalidKeyUsageException', `${key.arn} key usage is SIGN_VERIFY which is not valid for this operation.`);
    if (use !== 'ENCRYPT_DECRYPT' && isSymmetric) throw new KmsFault(use === null ? 'UnsupportedOperationException' : 'InvalidKeyUsageException', `${key.arn} is not valid for this operation.`);
    return key;
  };

  const parse = <T>(schema: z.ZodType<T>, body: unknown): T => {
    const parsed = schema.safeParse(body);
    if (!parsed.success) throw new KmsFault('ValidationException', `${parsed.error.issues.length} validation errors detected`);
    return parsed.data;
  };

  const actions: Readonly<Record<string, (body: unknown) => Record<string, unknown>>> = {
    GenerateDataKeyWithoutPlaintext(body) {
      const asked = parse(Requests.GenerateDataKeyWithoutPlaintext, body);
      const key = findKey(asked.KeyId, 'ENCRYPT_DECRYPT');
      return { KeyId: key.arn, CiphertextBlob: wrap(key, randomBytes(asked.KeySpec === 'AES_128' ? 16 : 32), asked.EncryptionContext).toString('base64') };
    },
    Decrypt(body) {
      const asked = parse(Requests.Decrypt, body);
      const arn = arnIn(asked.CiphertextBlob);
      if (arn === null) throw new KmsFault('InvalidCiphertextException', '');
      if (asked.KeyId !== undefined && findKey(asked.KeyId, 'ENCRYPT_DECRYPT').arn !== arn) throw new KmsFault('IncorrectKeyException', 'The key ID in the request does not identify a CMK that can perform this operation.');
      const key = findKey(arn, 'ENCRYPT_DECRYPT');
      const plain = unwrap(key, asked.CiphertextBlob, asked.EncryptionContext);
      if (plain === null) throw new KmsFault('InvalidCiphertextException', '');
      return { KeyId: key.arn, Plaintext: plain.toString('base64'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
    },
    GetPublicKey(body) {
      const key = findKey(parse(Requests.GetPublicKey, body).KeyId, null);
      return { KeyId: key.arn, PublicKey: spkiOf(key).toString('base64'), KeySpec: key.spec, CustomerMasterKeySpec: key.spec, KeyUsage: 'SIGN_VERIFY', SigningAlgorithms: ['ECDSA_SHA_256'] };
    },
    Sign(body) {
      const asked = parse(Requests.Sign, body);
      const key = findKey(asked.KeyId, 'SIGN_VERIFY');
      if (asked.SigningAlgorithm !== 'ECDSA_SHA_256') throw new KmsFault('InvalidKeyUsageException', `Algorithm ${asked.SigningAlgorithm} is incompatible with key spec ${key.spec}.`);
      if (asked.MessageType !== 'DIGEST' || asked.Message.length !== 32) throw new KmsFault('ValidationException', 'Digest is invalid length for algorithm ECDSA_SHA_256.');
      const signature = signDigest(key, lies ? randomBytes(32) : asked.Message);
      return { KeyId: key.arn, Signature: signature.toString('base64'), SigningAlgorithm: asked.SigningAlgorithm };
    },
  };

  async function answer(request: IncomingMessage, body: Buffer): Promise<Record<string, unknown>> {
    const [, action = ''] = /^TrentService\.(\w+)$/.exec(String(request.headers['x-amz-target'])) ?? [];
    const act = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (request.method !== 'POST' || request.url !== '/' || request.headers['content-type'] !== 'application/x-amz-json-1.1' || act === undefined) throw new KmsFault('UnknownOperationException', '');
    const accessKeyId = accessKeyOf(request.headers);
    if (accessKeyId === null) throw new KmsFault('MissingAuthenticationTokenException', 'Missing Authentication Token');
    if (accessKeyId !== credentials.accessKeyId) throw new KmsFault('UnrecognizedClientException', 'The security token included in the request is invalid.');
    if (!isSignedWith(credentials.secretAccessKey, { method: 'POST', path: '/', headers: request.headers, body })) throw new KmsFault('InvalidSignatureException', 'The request signature we calculated does not match the signature you provided.');
    const asked = JSON.parse(body.toString()) as { KeyId?: string; EncryptionContext?: Record<string, string> };
    calls.push({ action, keyId: asked.KeyId ?? null, context: asked.EncryptionContext ?? null });
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs).unref());
    const fault = next.shift();
    if (fault !== undefined) throw new KmsFault(fault, fault === 'ThrottlingException' ? 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.' : '');
    if (denied.has(action)) throw new KmsFault('AccessDeniedException', `User: ${IDENTITY} is not authorized to perform: kms:${action} on resource: ${asked.KeyId ?? 'the key'} because no identity-based policy allows the kms:${action} action`);
    return act(asked);
  }

  function send(response: ServerResponse, status: number, body: unknown): void {
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': randomUUID() }).end(JSON.stringify(body));
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    try {
      send(response, 200, await answer(request, Buffer.concat(chunks)));
    } catch (thrown) {
      if (!(thrown instanceof KmsFault)) throw thrown;
      // AccessDeniedException alone spells its text with a capital.
      send(response, STATUS[thrown.type] ?? 400, { __type: thrown.type, [thrown.type === 'AccessDeniedException' ? 'Message' : 'message']: thrown.message });
    }
  }

  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    calls,
    faults: {
      answer: (type, times) => next.push(...Array.from({ length: times }, () => type)),
      deny: (action) => void denied.add(action),
      delay: (ms) => (delayMs = ms),
      lie: (on) => (lies = on),
      clear() {
        next = [];
        denied.clear();
        delayMs = 0;
        lies = false;
      },
    },
    env: () => ({
      AWS_ENDPOINT_URL_KMS: url,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
    }),
    makeKey(spec, privateKey) {
      const key = makeKey(spec, `arn:aws:kms:${REGION}:${ACCOUNT}`, privateKey);
      keys.set(key.arn, key);
      return key;
    },
    async stop() {
      const ended = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await ended;
    },
  };
}
