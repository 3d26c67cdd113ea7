import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AppError } from './errors.js';
import { isLoopback } from './loopback.js';

/** How a connection is kept from others on its way: the server proven by its certificate; encrypted to whoever answers; not at all. */
export type Protection = 'verified' | 'unverified' | 'none';

export interface DatabaseUrl {
  /** As the operator wrote it; null for a Unix socket, which never leaves this machine. */
  readonly host: string | null;
  readonly protection: Protection;
  /** What in it would be misread or could undo the protection, each a sentence after the setting's name. */
  readonly faults: readonly string[];
}

/** What pg is given. Its URL says nothing of TLS any more: what it said is in `ssl`. */
export interface DatabaseConnection {
  readonly connectionString: string;
  readonly ssl: false | { readonly rejectUnauthorized: boolean; readonly minVersion: 'TLSv1.2'; readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly sslnegotiation?: 'postgres' | 'direct';
}

/** `require` and `verify-ca` are verified in full, as pg 8 does: who is only encrypted may be speaking to anybody. */
const MODES: Readonly<Record<string, Protection>> = { disable: 'none', 'no-verify': 'unverified', require: 'verified', 'verify-ca': 'verified', 'verify-full': 'verified' };

/** pg takes these from the URL and lets them win over what it was given beside it. */
const TLS_PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'sslnegotiation'] as const;
/** They would lead elsewhere than the URL says, or weaken what sslmode says: pg's own way of `ssl=`, and libpq's weaker meanings. */
const REFUSED_PARAMETERS: Readonly<Record<string, string>> = {
  ssl: 'must say sslmode=… instead of ssl=…',
  uselibpqcompat: 'must not set uselibpqcompat: it gives sslmode weaker meanings',
  port: 'must name its port before the path, not as ?port=',
  hostaddr: 'must name its host before the path, not as ?hostaddr=',
};

/**
 * What a Postgres URL says of its host and of TLS. Without sslmode: none to this machine itself, verified to any other. Never throws for a
 * text that URL can parse.
 */
export function readDatabaseTls(text: string): DatabaseUrl {
  const url = new URL(text);
  const { host, fault } = hostOf(url);
  const faults = fault === null ? [] : [fault];
  for (const [name, says] of Object.entries(REFUSED_PARAMETERS)) if (url.searchParams.has(name)) faults.push(says);
  // pg takes the last of two, others the first.
  for (const name of [...TLS_PARAMETERS, 'host']) if (url.searchParams.getAll(name).length > 1) faults.push(`must set ${name} once`);
  const negotiation = url.searchParams.get('sslnegotiation');
  if (negotiation !== null && negotiation !== 'postgres' && negotiation !== 'direct') faults.push('must set sslnegotiation to postgres or direct');

  const isHere = host === null || isLoopback(host);
  const mode = url.searchParams.get('sslmode');
  if (mode === null) return { host, protection: isHere ? 'none' : 'verified', faults };
  const known = Object.hasOwn(MODES, mode) ? MODES[mode] : undefined;
  if (known === undefined) faults.push('must set sslmode to verify-full (or require, verify-ca: verified in full too), no-verify or disable');
  return { host, protection: known ?? 'verified', faults };
}

/**
 * What pg connects with. All connections are made from this. Throws `usage` where a file that the URL names cannot be read, or
 * sslrootcert holds no certificate. `sslrootcert=system`, as none: the authorities that Node trusts.
 */
export function toDatabaseConnection(text: string): DatabaseConnection {
  if (!URL.canParse(text)) return { connectionString: text, ssl: { rejectUnauthorized: true, minVersion: 'TLSv1.2' } };
  const { protection } = readDatabaseTls(text);
  const url = new URL(text);
  const said = Object.fromEntries(TLS_PARAMETERS.map((name) => [name, url.searchParams.get(name)]));
  for (const name of TLS_PARAMETERS) url.searchParams.delete(name);
  // Untouched where it says nothing of TLS: writing a query anew changes its spelling.
  const connectionString = Object.values(said).every((value) => value === null) ? text : url.href;
  if (protection === 'none') return { connectionString, ssl: false };
  const { sslrootcert, sslcert, sslkey, sslnegotiation } = said;
  return {
    connectionString,
    ssl: {
      // Said aloud: NODE_TLS_REJECT_UNAUTHORIZED counts only where nothing is said.
      rejectUnauthorized: protection === 'verified',
      minVersion: 'TLSv1.2',
      ...(sslrootcert && sslrootcert !== 'system' ? { ca: readCertificates(sslrootcert) } : {}),
      ...(sslcert ? { cert: readNamed('sslcert', sslcert) } : {}),
      ...(sslkey ? { key: readNamed('sslkey', sslkey) } : {}),
    },
    ...(sslnegotiation === 'direct' ? { sslnegotiation } : {}),
  };
}

/** pg lets ?host= win over the URL's own: allowed for a Unix socket alone. Without either it would ask PGHOST. */
function hostOf(url: URL): { host: string | null; fault: string | null } {
  const named = url.searchParams.get('host');
  if (named !== null) return named.startsWith('/') ? { host: null, fault: null } : { host: named, fault: 'must name its host before the path: ?host= is for the folder of a Unix socket' };
  const host = decode(url.hostname);
  if (host === '') return { host, fault: 'must name a host' };
  return { host: host.startsWith('/') ? null : host.replace(/^\[(.+)\]$/, '$1'), fault: null };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readCertificates(path: string): string {
  const text = readNamed('sslrootcert', path);
  try {
    new X509Certificate(text);
    return text;
  } catch (cause) {
    throw new AppError('usage', 'sslrootcert holds no certificate in PEM', { where: path, mend: "name the file of the server's CA certificate: a Supabase project's is at Database Settings, SSL Configuration", cause });
  }
}

function readNamed(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'error';
    throw new AppError('usage', `${name} cannot be read (${code})`, { where: path, mend: `correct the path that ${name} names in the database's URL, or let the user the daemon runs as read it`, cause });
  }
}
