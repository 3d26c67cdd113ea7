import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface SignedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** The access key that an Authorization header of AWS Signature Version 4 names; null where there is none. */
export function accessKeyOf(headers: IncomingHttpHeaders): string | null {
  return /^AWS4-HMAC-SHA256 Credential=([^/,]+)\/\d{8}\/[a-z0-9-]+\/kms\/aws4_request, ?SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}$/.exec(headers.authorization ?? '')?.[1] ?? null;
}

/** Whether the request is signed with that secret (AWS Signature Version 4: canonical request, string to sign, derived key). */
export function isSignedWith(secretAccessKey: string, { method, path, headers, body }: SignedRequest): boolean {
  const [, date = '', region = '', signed = '', signature = ''] = /Credential=[^/]+\/(\d{8})\/([a-z0-9-]+)\/kms\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/.exec(headers.authorization ?? '') ?? [];
  if (signature === '' || !signed.split(';').includes('host')) return false;
  const lines = signed.split(';').map((name) => `${name}:${String(headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`);
  const canonical = [method, path, '', lines.join(''), signed, sha256(body)].join('\n');
  const scope = `${date}/${region}/kms/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  const key = ['kms', 'aws4_request'].reduce((derived, part) => hmac(derived, part), hmac(hmac(`AWS4${secretAccessKey}`, date), region));
  return timingSafeEqual(hmac(key, text), Buffer.from(signature, 'hex'));
}
