import { z } from 'zod';
import { AppError, toAppError } from './errors.js';
import { isLoopback } from './loopback.js';
import { parseMasterKeySource } from './masterKey/source.js';
import { PEER_SETTINGS, transportFaults } from './transport.js';

const PLACEHOLDER_HINT = 'see .env.example';

// A schema's own message is used for its checks too, so each names the whole range.
const ranged = (what: string, min: number, max: number) => z.coerce.number(`must be ${what} from ${min} to ${max}`).min(min).max(max);
const seconds = (fallback: number, min: number, max: number) => ranged('a number of seconds', min, max).default(fallback);
const perSecond = (fallback: number) => ranged('a number of calls per second', 0.1, 10_000).default(fallback);
const whole = (what: string, fallback: number, min: number, max: number) => ranged(what, min, max).int().default(fallback);
const onOff = (fallback: 'on' | 'off') => z.enum(['on', 'off'], 'must be on or off').default(fallback).transform((value) => value === 'on');

/** FLOW as a decimal text with at most 8 places, in units of 10^-8 FLOW. */
const flow = (fallback: string) =>
  z
    .string()
    .regex(/^\d{1,10}(\.\d{1,8})?$/, 'must be an amount of FLOW with at most 8 decimal places, like 0.075')
    .default(fallback)
    .transform((text) => {
      const [whole = '0', fraction = ''] = text.split('.');
      return BigInt(whole) * 100_000_000n + BigInt(fraction.padEnd(8, '0'));
    });

const OFF = 'off';
/** FLOW as above, or null for off. */
const flowLimit = (fallback: string) =>
  z
    .string()
    .regex(/^(off|\d{1,10}(\.\d{1,8})?)$/, 'must be an amount of FLOW with at most 8 decimal places, like 100, or off')
    .default(fallback)
    .transform((text) => (text === OFF ? null : flow('0').parse(text)));
/** A whole number, or null for off. */
const countLimit = (fallback: string, min: number) =>
  z
    .string()
    .default(fallback)
    .refine((text) => text === OFF || (/^\d{1,9}$/.test(text) && Number(text) >= min), `must be a whole number from ${min} to 999999999, or off`)
    .transform((text) => (text === OFF ? null : Number(text)));

/** A user and a password in a URL end up in what others print of it. */
const withoutUser = (text: string): boolean => !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === '');

const url = (protocols: readonly string[], example: string) =>
  z.string('is missing').refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), `must be a URL like ${example}`);

/** The secret goes over the wire as a signature alone, but the users' ids and addresses go as they are. */
const webhookUrl = url(['http:', 'https:'], 'https://app.example.com/hooks/wallets')
  .refine((text) => !(URL.canParse(text) && new URL(text).protocol === 'http:' && !isLoopback(new URL(text).hostname)), 'must begin with https:// (http:// only to this machine itself)')
  .refine(withoutUser, 'must hold no user and no password: the receiver checks the signature')
  .optional();

const webhookSecret = z
  .string()
  .refine((text) => {
    const [, base64 = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
    const bytes = Buffer.from(base64, 'base64').length;
    return bytes >= 24 && bytes <= 64;
  }, 'must be whsec_ and 24 to 64 bytes in base64, as `echo whsec_$(openssl rand -base64 32)` prints')
  .optional();

const masterKey = z.string('is missing').transform((text, context) => {
  try {
    return parseMasterKeySource(text);
  } catch (thrown) {
    context.addIssue({ code: 'custom', message: toAppError(thrown).message });
    return z.NEVER;
  }
});

/** Names in a list, separated by commas; blanks count for nothing. */
const nameList = (isName: RegExp, message: string) =>
  z
    .string()
    .optional()
    .transform((text) => text?.split(',').map((name) => name.trim()).filter((name) => name !== ''))
    .refine((names) => names?.length !== 0 && names?.every((name) => isName.test(name)) !== false, message);

/** Every setting, by the name of its environment variable. Units are in design words: seconds, calls per second, FLOW. */
const settingsSchema = z.object({
  DATABASE_URL: url(['postgres:', 'postgresql:'], 'postgresql://wallet_sync_service:…@db.PROJECT.supabase.co:5432/postgres').refine(
    (text) => !(URL.canParse(text) && new URL(text).port === '6543'),
    'is a transaction pooler (port 6543): LISTEN hears nothing through it; use the direct connection or the session pooler (port 5432)',
  ),
  SUPABASE_URL: url(['http:', 'https:'], 'https://PROJECT.supabase.co').refine(withoutUser, 'must hold no user and no password'),
  SUPABASE_SERVICE_ROLE_KEY: z.string('is missing').min(20, 'is too short to be a service role key'),
  NETWORK: z.enum(['mainnet', 'testnet', 'emulator'], {
    error: ({ input }) => (input === undefined ? 'is missing: it must be mainnet, testnet or emulator' : 'must be mainnet, testnet or emulator'),
  }),
  FLOW_ACCESS_NODE: url(['http:', 'https:'], 'https://rest-testnet.onflow.org').refine(withoutUser, 'must hold no user and no password').optional(),
  FLOW_JSON: z.string().min(1).default('flow/flow.json'),
  FUNDING_ACCOUNTS: nameList(/./, 'must be names of accounts in flow.json, separated by commas'),
  WALLET_ENCRYPTION_KEY: masterKey,
  WALLET_ENCRYPTION_KEY_NEXT: masterKey.optional(),
  INSECURE_TRANSPORT: nameList(/^[\w.:-]+$/, 'must be names of hosts, separated by commas, as they stand in the URLs'),
  ADOPT_ENCRYPTION_KEY: z.string().optional(),
  PROVISION: z.enum(['all', 'confirmed', 'non-anonymous'], 'must be all, confirmed or non-anonymous').default('all'),
  ASSIGN: z.enum(['daemon', 'trigger'], 'must be daemon or trigger').default('daemon'),
  CYCLE_RETENTION: whole('a whole number of days', 90, 1, 36_500),
  HISTORY_RETENTION: whole('a whole number of days', 30, 1, 36_500),
  USER_SOURCE: z.enum(['postgres', 'admin-api'], 'must be postgres or admin-api').optional(),
  SYNC_INTERVAL: seconds(300, 1, 86_400),
  BACKLOG_POLL: seconds(5, 0.1, 86_400),
  POOL_SIZE: whole('a whole number', 25, 0, 100_000),
  PAGE_SIZE: whole('a whole number', 1_000, 1, 10_000),
  SCRIPT_RPS: perSecond(5),
  TRANSACTION_RPS: perSecond(50),
  EVENT_RPS: perSecond(30),
  READ_RPS: perSecond(100),
  RATE_LIMIT_SCOPE: z.enum(['instance', 'shared'], 'must be instance or shared').default('instance'),
  FLOW_FUNDING_THRESHOLD: flow('0.075'),
  FLOW_FUNDING_AMOUNT: flow('0.1'),
  LIMIT_SHORT_WINDOW: seconds(3_600, 1, 31_536_000),
  LIMIT_LONG_WINDOW: seconds(86_400, 1, 31_536_000),
  LIMIT_FLOW_SHORT: flowLimit('2000'),
  LIMIT_FLOW_LONG: flowLimit('10000'),
  LIMIT_ACCOUNTS_SHORT: countLimit('10000', 1),
  LIMIT_WALLET_FUNDINGS_LONG: countLimit('5', 0),
  LIMIT_WALLET_FUNDINGS_EVER: countLimit('100', 0),
  FUNDER_FLOOR: flow('0'),
  TRANSACTION_EXPIRY: whole('a whole number of blocks', 600, 10, 600),
  REALTIME: onOff('on'),
  CONFIG_EXPORT: onOff('on'),
  PKEY_FILES: z.enum(['on', 'off'], 'must be on or off').optional(),
  ACCOUNTS_DIR: z.string().min(1).default('flow/accounts'),
  HTTP_HOST: z.string().regex(/^[\w.:-]+$/, 'must be a host name or an IP address of this machine').default('127.0.0.1'),
  HTTP_PORT: whole('a port', 8_787, 0, 65_535),
  HTTP_TOKEN: z.string().regex(/^[\x21-\x7e]{16,}$/, 'must have at least 16 characters, without spaces or letters beyond ASCII').optional(),
  READY_NOTIFY: onOff('off'),
  WEBHOOK_URL: webhookUrl,
  WEBHOOK_SECRET: webhookSecret,
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace'], 'must be fatal, error, warn, info, debug or trace').default('info'),
});

/** What bounds what is spent. On mainnet each but the windows must be set, `off` included. */
export const LIMIT_SETTINGS = ['LIMIT_SHORT_WINDOW', 'LIMIT_LONG_WINDOW', 'LIMIT_FLOW_SHORT', 'LIMIT_FLOW_LONG', 'LIMIT_ACCOUNTS_SHORT', 'LIMIT_WALLET_FUNDINGS_LONG', 'LIMIT_WALLET_FUNDINGS_EVER', 'FUNDER_FLOOR'] as const;
const REQUIRED_ON_MAINNET = LIMIT_SETTINGS.filter((name) => !name.endsWith('_WINDOW'));

/** Every setting's name, in the order of .env.example. */
export const SETTING_NAMES: readonly string[] = Object.keys(settingsSchema.shape);

export type Settings = Readonly<z.output<typeof settingsSchema>> & {
  /** Plaintext key files for the Flow CLI. On by default, but on mainnet only when asked for. */
  readonly pkeyFiles: boolean;
};

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads all settings at once. Throws one AppError of kind `usage` that names every missing or wrong one and never
 * repeats a value. A variable that is empty or blank counts as missing.
 */
export function readSettings(environment: Environment): Settings {
  const settings = parseSettings(settingsSchema, environment, [...transportFaults(environment, PEER_SETTINGS), ...tokenFault(environment), ...webhookFault(environment), ...limitFaults(environment)]);
  return Object.freeze({ ...settings, pkeyFiles: writesKeyFiles(settings) });
}

/** Whether keys are written in plain text for the Flow CLI: on mainnet only where PKEY_FILES says so. */
export function writesKeyFiles({ NETWORK, PKEY_FILES }: Pick<Settings, 'NETWORK' | 'PKEY_FILES'>): boolean {
  return PKEY_FILES === undefined ? NETWORK !== 'mainnet' : PKEY_FILES === 'on';
}

/** Some settings by name, for a command that needs no others. Throws as {@link readSettings} does, about these alone; with all of {@link LIMIT_SETTINGS} among them, also where mainnet lacks one. */
export function pickSettings<Name extends keyof z.output<typeof settingsSchema>>(environment: Environment, names: readonly Name[]): Pick<Settings, Name> {
  const picked = z.object(Object.fromEntries(names.map((name) => [name, settingsSchema.shape[name]])));
  const needsLimits = (LIMIT_SETTINGS as readonly string[]).every((limit) => (names as readonly string[]).includes(limit));
  return Object.freeze(parseSettings(picked as unknown as z.ZodType<Pick<Settings, Name>>, environment, [...transportFaults(environment, names), ...(needsLimits ? limitFaults(environment) : [])]));
}

/** The database's URL alone. */
export function readDatabaseUrl(environment: Environment): string {
  return pickSettings(environment, ['DATABASE_URL']).DATABASE_URL;
}

/** The URL that migrations use, and the setting that names it: MIGRATE_DATABASE_URL, else DATABASE_URL. Throws as {@link readSettings} does, about that one. */
export function readMigrationUrl(environment: Environment): { readonly url: string; readonly setting: string } {
  const setting = dropEmpty(environment)['MIGRATE_DATABASE_URL'] === undefined ? 'DATABASE_URL' : 'MIGRATE_DATABASE_URL';
  const schema = z.object({ [setting]: settingsSchema.shape.DATABASE_URL });
  const { [setting]: url = '' } = parseSettings(schema, environment, transportFaults(environment, [setting]));
  return { url, setting };
}

/** Who can be reached from elsewhere asks who is there. Beside the schema, which checks nothing across settings while one of them is wrong. */
function tokenFault(environment: Environment): string[] {
  const { HTTP_HOST: host, HTTP_TOKEN: token } = dropEmpty(environment);
  if (host === undefined || token !== undefined || isLoopback(host) || !settingsSchema.shape.HTTP_HOST.safeParse(host).success) return [];
  return ['HTTP_TOKEN is missing: it is required where HTTP_HOST is not loopback'];
}

/** A message without a signature could be anybody's. Beside the schema, as {@link tokenFault} is. */
function webhookFault(environment: Environment): string[] {
  const { WEBHOOK_URL: url, WEBHOOK_SECRET: secret } = dropEmpty(environment);
  if (url !== undefined && secret === undefined) return ['WEBHOOK_SECRET is missing: WEBHOOK_URL is set, and its receiver must be able to tell our messages from others'];
  if (url === undefined && secret !== undefined) return ['WEBHOOK_URL is missing: WEBHOOK_SECRET is set'];
  return [];
}

/** The least that one account can cost, beside what it is given: 0.001 FLOW and the highest fee. */
const LEAST_ROOM = 41_100_000n;

/** Nobody spends on mainnet without having said how much, and a limit that not even one account fits into stops all for ever. Beside the schema, as {@link tokenFault} is. */
function limitFaults(environment: Environment): string[] {
  const set = dropEmpty(environment);
  const missing = set['NETWORK'] === 'mainnet' ? REQUIRED_ON_MAINNET.filter((name) => set[name] === undefined) : [];
  const amount = settingsSchema.shape.FLOW_FUNDING_AMOUNT.safeParse(set['FLOW_FUNDING_AMOUNT']);
  const narrow = (['LIMIT_FLOW_SHORT', 'LIMIT_FLOW_LONG'] as const).filter((name) => {
    const limit = settingsSchema.shape[name].safeParse(set[name]);
    return limit.success && amount.success && limit.data !== null && limit.data < amount.data + LEAST_ROOM;
  });
  return [
    ...missing.map((name) => `${name} is missing: on mainnet each spending limit must be set (docs/limits.md)`),
    ...narrow.map((name) => `${name} has no room for one account: it must be at least FLOW_FUNDING_AMOUNT + 0.411, or off`),
  ];
}

function parseSettings<T>(schema: z.ZodType<T>, environment: Environment, more: readonly string[] = []): T {
  const parsed = schema.safeParse(dropEmpty(environment));
  if (parsed.success && more.length === 0) return parsed.data;
  const faults = [...(parsed.error?.issues ?? []).map((issue) => `${issue.path.join('.')} ${issue.message}`), ...more].map((fault) => `  ${fault}`);
  const unique = [...new Set(faults)];
  throw new AppError('usage', `${unique.length === 1 ? 'one setting is' : `${unique.length} settings are`} missing or wrong:\n${unique.join('\n')}`, { where: 'environment', mend: `set them in the environment or in .env (${PLACEHOLDER_HINT})` });
}

/** What is set. A blank is no value: as a number it would read as 0. */
function dropEmpty(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value.trim() !== ''));
}
