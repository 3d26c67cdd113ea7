import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate and its private key, both PEM. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  /** Its own certificate, PEM: what trusts it. */
  readonly ca: string;
  /** A server's certificate for these names and IP addresses, valid for a day around now, or from `daysFromNow`. */
  issue(names: readonly string[], options?: { readonly daysFromNow?: number }): Certified;
}

const DAY_MS = 86_400_000;

/** A certificate authority of the test's own, on P-256: Node can read certificates and not make them, and no machine must have openssl for it. */
export function makeAuthority(name: string): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = nameOf(name);
  return {
    ca: toPem(certificate({ issuer, subject: issuer, publicKey: keys.publicKey, signer: keys.privateKey, from: -1, extensions: [critical(BASIC_CONSTRAINTS, der(0x30, der(0x01, Buffer.from([0xff]))))] })),
    issue(names, { daysFromNow = -1 } = {}) {
      const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const alternatives = der(0x30, ...names.map((each) => (isIP(each) === 4 ? der(0x87, Buffer.from(each.split('.').map(Number))) : der(0x82, Buffer.from(each)))));
      const cert = certificate({ issuer, subject: nameOf(names[0] ?? 'nobody'), publicKey: own.publicKey, signer: keys.privateKey, from: daysFromNow, extensions: [extension(SUBJECT_ALT_NAME, alternatives)] });
      return { cert: toPem(cert), key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
    },
  };
}

// X.509 v3 (RFC 5280) in DER: the few parts that a server's certificate needs.
const der = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = body.length < 0x80 ? [body.length] : body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const ECDSA_WITH_SHA256 = der(0x30, oid('2a8648ce3d040302'));
const COMMON_NAME = oid('550403');
const BASIC_CONSTRAINTS = oid('551d13');
const SUBJECT_ALT_NAME = oid('551d11');
const nameOf = (text: string): Buffer => der(0x30, der(0x31, der(0x30, COMMON_NAME, der(0x0c, Buffer.from(text)))));
const extension = (id: Buffer, value: Buffer): Buffer => der(0x30, id, der(0x04, value));
const critical = (id: Buffer, value: Buffer): Buffer => der(0x30, id, der(0x01, Buffer.from([0xff])), der(0x04, value));
const time = (ms: number): Buffer => der(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));
const toPem = (bytes: Buffer): string => `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').replace(/(.{64})(?=.)/g, '$1\n')}\n-----END CERTIFICATE-----\n`;

function certificate(of: { issuer: Buffer; subject: Buffer; publicKey: KeyObject; signer: KeyObject; from: number; extensions: readonly Buffer[] }): Buffer {
  const begin = Date.now() + of.from * DAY_MS;
  const serial = Buffer.concat([Buffer.from([0x01]), randomBytes(15)]);
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ECDSA_WITH_SHA256,
    of.issuer,
    der(0x30, time(begin), time(begin + 2 * DAY_MS)),
    of.subject,
    of.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, ...of.extensions)),
  );
  return der(0x30, body, ECDSA_WITH_SHA256, der(0x03, Buffer.from([0]), sign('sha256', body, of.signer)));
}
