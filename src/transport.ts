import { readDatabaseTls, type Protection } from './databaseUrl.js';
import { isLoopback } from './loopback.js';

/** A connection that somebody on its way could read or change. */
export interface InsecureConnection {
  readonly setting: string;
  readonly host: string;
  readonly what: 'not encrypted' | 'encrypted, but the certificate is not checked';
}

type Environment = Readonly<Record<string, string | undefined>>;

const DATABASES: ReadonlySet<string> = new Set(['DATABASE_URL', 'MIGRATE_DATABASE_URL']);
const SERVICES: ReadonlySet<string> = new Set(['SUPABASE_URL', 'FLOW_ACCESS_NODE']);
/** Every setting that names a peer, but WEBHOOK_URL, which is https or this machine without exception. */
export const PEER_SETTINGS: readonly string[] = [...DATABASES, ...SERVICES];

/**
 * What is wrong with how these settings connect, a sentence each, beginning with the setting's name. TLS to any host but this machine itself,
 * private networks included; INSECURE_TRANSPORT names the hosts that may do without. Settings that are no URLs of their kind are others' business.
 */
export function transportFaults(environment: Environment, settings: readonly string[]): string[] {
  const allowed = allowedHosts(environment);
  const faults: string[] = [];
  for (const { setting, host, protection, faults: own } of peers(environment, settings)) {
    faults.push(...own.map((fault) => `${setting} ${fault}`));
    if (protection === 'verified' || isHere(host) || allowed.has(host.toLowerCase())) continue;
    faults.push(`${setting} ${says(setting, protection)}; only where that is wanted, name its host in INSECURE_TRANSPORT`);
  }
  if (faults.length > 0 || settings.some((setting) => PEER_SETTINGS.includes(setting))) faults.push(...processFaults(environment));
  return faults;
}

/** The connections that INSECURE_TRANSPORT lets be insecure, to be told at each start. */
export function insecureConnections(environment: Environment): InsecureConnection[] {
  return peers(environment, PEER_SETTINGS).flatMap(({ setting, host, protection }) =>
    protection === 'verified' || isHere(host) ? [] : [{ setting, host, what: protection === 'none' ? ('not encrypted' as const) : ('encrypted, but the certificate is not checked' as const) }],
  );
}

/** Hosts that INSECURE_TRANSPORT names and no insecure connection goes to: what they allow, nobody asked for. */
export function unusedAllowances(environment: Environment): string[] {
  const used = new Set(insecureConnections(environment).map(({ host }) => host.toLowerCase()));
  return [...allowedHosts(environment)].filter((host) => !used.has(host));
}

interface Peer {
  readonly setting: string;
  readonly host: string | null;
  readonly protection: Protection;
  readonly faults: readonly string[];
}

function peers(environment: Environment, settings: readonly string[]): Peer[] {
  return settings.flatMap((setting): Peer[] => {
    const text = environment[setting];
    if (text === undefined || text.trim() === '' || !URL.canParse(text)) return [];
    const { protocol, hostname } = new URL(text);
    if (DATABASES.has(setting) && /^postgres(ql)?:$/.test(protocol)) return [{ setting, ...readDatabaseTls(text) }];
    if (SERVICES.has(setting) && /^https?:$/.test(protocol)) return [{ setting, host: hostname.replace(/^\[(.+)\]$/, '$1'), protection: protocol === 'https:' ? 'verified' : 'none', faults: [] }];
    return [];
  });
}

const isHere = (host: string | null): host is null => host === null || isLoopback(host);

function says(setting: string, protection: Protection): string {
  if (SERVICES.has(setting)) return 'must begin with https:// (http:// only to this machine itself)';
  if (protection === 'unverified') return 'says sslmode=no-verify, which speaks to whoever answers: use verify-full, with sslrootcert=FILE for a CA of its own';
  return 'says sslmode=disable, and its host is not this machine: use verify-full, with sslrootcert=FILE for a CA of its own';
}

function allowedHosts(environment: Environment): Set<string> {
  const names = (environment['INSECURE_TRANSPORT'] ?? '').split(',').map((name) => name.trim().toLowerCase());
  return new Set(names.filter((name) => name !== ''));
}

/** What would weaken TLS for the whole process, whatever the URLs say. */
function processFaults({ NODE_TLS_REJECT_UNAUTHORIZED: reject, NODE_OPTIONS: options = '' }: Environment): string[] {
  const faults: string[] = [];
  if (reject === '0') faults.push('NODE_TLS_REJECT_UNAUTHORIZED must not be 0: no certificate would be checked; for a CA of your own set NODE_EXTRA_CA_CERTS=FILE');
  if ([options, ...process.execArgv].some((each) => /--tls-min-v1\.[01]\b/.test(each))) faults.push('NODE_OPTIONS must not lower the least TLS version (--tls-min-v1.0, --tls-min-v1.1)');
  return faults;
}
