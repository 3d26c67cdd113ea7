import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { packagePath } from '../src/packagePath.js';
import { readMigrationUrl, readSettings, SETTING_NAMES } from '../src/settings.js';
import { insecureConnections, unusedAllowances } from '../src/transport.js';

/** Variables that are read elsewhere than in the settings' schema, and those of the HTTP server's. */
const OTHERS = ['NODE_ENV', 'FUNDER_KEY_FUNDER_1', 'MIGRATE_DATABASE_URL'];
const KNOWN = new Set([...SETTING_NAMES, ...OTHERS]);
const read = (...parts: string[]): string => readFileSync(packagePath(...parts), 'utf8');
const manifest = z.object({ engines: z.object({ node: z.string() }), files: z.array(z.string()), bin: z.record(z.string(), z.string()) }).parse(JSON.parse(read('package.json')));

describe('the image', () => {
  const text = read('deploy', 'Dockerfile');
  const last = text.slice(text.lastIndexOf('\nFROM '));

  it('runs a Node that package.json allows', () => {
    const least = Number(/>=(\d+)/.exec(manifest.engines.node)?.[1]);
    const versions = [...text.matchAll(/^FROM node:(\d+)/gm)].map(([, major]) => Number(major));
    expect(versions.length).toBeGreaterThan(0);
    for (const version of versions) expect(version).toBeGreaterThanOrEqual(least);
  });

  it('does not run as root, and a number says so', () => {
    expect(/^USER (\d+):(\d+)$/m.exec(last)?.slice(1).map(Number).every((id) => id >= 1000)).toBe(true);
  });

  it('starts the product\'s own entry without a shell, and asks its own /healthz by Node', () => {
    expect(last).toContain(`ENTRYPOINT ["node", "${manifest.bin['wallet-sync']!}"]`);
    expect(last).toMatch(/HEALTHCHECK[^]*CMD \["node", "-e", "fetch\(`http:\/\/127\.0\.0\.1:\$\{process\.env\.HTTP_PORT \|\| 8787\}\/healthz`\)/);
  });

  it('holds what package.json calls the package\'s files and nothing of development', () => {
    const copied = [...last.matchAll(/^COPY (?:--\S+ )?(?:\/app\/)?(\S+) /gm)].map(([, source]) => source!.replace(/\[(.)\]/, '$1'));
    const wanted = manifest.files.filter((file) => !['deploy', 'docs', '.env.example', 'SECURITY.md'].includes(file));
    for (const file of wanted) expect(copied).toContain(file);
    for (const source of copied) expect([...wanted, 'package.json', 'node_modules']).toContain(source);
    expect(text).toContain('npm prune --omit=dev');
  });

  it('is built from files that are there', () => {
    const built = text.slice(0, text.lastIndexOf('\nFROM '));
    for (const [, sources] of built.matchAll(/^COPY (?!--)(.+) \S+$/gm)) for (const source of sources!.split(' ')) expect(existsSync(packagePath(source)), source).toBe(true);
    const ignored = read('.dockerignore').split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    for (const [, sources] of built.matchAll(/^COPY (?!--)(.+) \S+$/gm)) for (const source of sources!.split(' ')) expect(ignored).toContain(source);
  });
});

const service = z.object({ environment: z.record(z.string(), z.string()).optional(), volumes: z.array(z.string()).optional(), build: z.object({ context: z.string(), dockerfile: z.string() }).loose().optional() }).loose();

describe('compose.yaml', () => {
  const compose = z.object({ services: z.record(z.string(), service) }).parse(parse(read('deploy', 'compose.yaml'), { merge: true }));

  it('has Postgres, the emulator and a daemon that cannot write to its root file system', () => {
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(['postgres', 'emulator', 'wallet-sync']));
    expect(compose.services['wallet-sync']).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
  });

  it('names settings that there are, and files that are there', () => {
    for (const name of ['wallet-sync', 'migrate']) for (const variable of Object.keys(compose.services[name]!.environment ?? {})) expect(KNOWN, variable).toContain(variable);
    const base = packagePath('deploy');
    for (const { volumes = [], build } of Object.values(compose.services)) {
      for (const volume of volumes.filter((each) => each.startsWith('.'))) expect(existsSync(join(base, volume.split(':')[0]!)), volume).toBe(true);
      if (build !== undefined) expect(existsSync(join(base, build.context, build.dockerfile)), build.dockerfile).toBe(true);
    }
  });

  it('connects as the settings allow it: what is without TLS is named', () => {
    const { environment: daemon = {} } = compose.services['wallet-sync']!;
    expect(readSettings(daemon).INSECURE_TRANSPORT).toEqual(['postgres', 'emulator']);
    expect(insecureConnections(daemon).map(({ host }) => host)).toEqual(['postgres', 'emulator']);
    const { environment: migrate = {} } = compose.services['migrate']!;
    expect(readMigrationUrl(migrate).url).toBe(migrate['DATABASE_URL']);
    expect(unusedAllowances(daemon).concat(unusedAllowances(migrate))).toEqual([]);
  });

  it('opens ports to this machine alone', () => {
    for (const { ports = [] } of Object.values(compose.services) as { ports?: string[] }[]) for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });
});

describe('the Kubernetes manifests', () => {
  const container = z.object({
    securityContext: z.record(z.string(), z.unknown()),
    startupProbe: z.unknown().optional(),
    livenessProbe: z.unknown().optional(),
    readinessProbe: z.object({ exec: z.object({ command: z.array(z.string()) }) }).optional(),
    ports: z.unknown().optional(),
  });
  const pod = z.object({ securityContext: z.record(z.string(), z.unknown()), terminationGracePeriodSeconds: z.number().optional(), containers: z.tuple([container]) });
  const document = z.object({
    kind: z.string(),
    data: z.record(z.string(), z.string()).default({}),
    stringData: z.record(z.string(), z.string()).default({}),
    spec: z.object({ replicas: z.number().optional(), minAvailable: z.unknown().optional(), selector: z.unknown().optional(), template: z.object({ spec: pod }).optional() }).optional(),
  });
  const documents = readdirSync(packagePath('deploy', 'kubernetes')).flatMap((name) =>
    parseAllDocuments(read('deploy', 'kubernetes', name)).map((each) => {
      expect(each.errors).toEqual([]);
      return document.parse(each.toJS());
    }),
  );
  const of = (kind: string): z.output<typeof document>[] => documents.filter((each) => each.kind === kind);
  const [deployment, config] = [of('Deployment')[0]!, of('ConfigMap')[0]!.data];
  const podOf = (each: z.output<typeof document>): z.output<typeof pod> => each.spec!.template!.spec;

  it('are several replicas, of which a disruption leaves one', () => {
    expect(deployment.spec!.replicas).toBeGreaterThan(1);
    expect(of('PodDisruptionBudget')[0]!.spec).toMatchObject({ minAvailable: 1, selector: deployment.spec!.selector });
  });

  it('run neither as root nor with a root file system that can be written', () => {
    for (const each of [...of('Deployment'), ...of('Job')]) {
      expect(podOf(each).securityContext).toMatchObject({ runAsNonRoot: true });
      expect(podOf(each).containers[0].securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
    }
  });

  it('ask /healthz whether it lives and /readyz whether it is ready, on the port that it has, with no token in the manifest', () => {
    const [only] = podOf(deployment).containers;
    for (const probe of [only.startupProbe, only.livenessProbe]) expect(probe).toMatchObject({ httpGet: { path: '/healthz', port: 'http' } });
    expect(only.readinessProbe?.exec.command.at(-1)).toContain('/readyz');
    expect(only.ports).toEqual([{ name: 'http', containerPort: Number(config['HTTP_PORT']) }]);
    expect(podOf(deployment).terminationGracePeriodSeconds).toBeGreaterThan(15);
  });

  it('name settings that there are; the secret ones come from Secrets, which are empty here', () => {
    const secrets = of('Secret').map((each) => each.stringData);
    for (const name of [...Object.keys(config), ...secrets.flatMap((secret) => Object.keys(secret))].filter((each) => each !== 'flow.json')) expect(KNOWN, name).toContain(name);
    for (const name of Object.keys(config)) expect(name).not.toMatch(/(^|_)KEY($|_)|SECRET|TOKEN|DATABASE_URL/);
    for (const value of secrets.flatMap((secret) => Object.values(secret))) expect(value).toBe('');
  });
});

it('the systemd unit runs the product\'s entry, not as root, and waits longer for its end than that takes', () => {
  const unit = read('deploy', 'systemd', 'flow-wallet-sync.service');
  expect(unit).toContain(`ExecStart=/usr/bin/node ${manifest.bin['wallet-sync']!} run`);
  expect(/^User=(.+)$/m.exec(unit)?.[1]).not.toBe('root');
  for (const hardening of ['NoNewPrivileges=yes', 'ProtectSystem=strict', 'CapabilityBoundingSet=', 'LimitCORE=0']) expect(unit).toContain(`\n${hardening}\n`);
  expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(15);
  for (const [, assignments] of unit.matchAll(/^Environment=(.+)$/gm)) for (const each of assignments!.split(' ')) expect(KNOWN).toContain(each.split('=')[0]);
});

it('the guide\'s loop gives each file of sql/ a name of its own, in their order', () => {
  const guide = read('deploy', 'README.md');
  expect(guide).toContain('20260101000${name%%_*}_wallet_sync_${name#*_}.sql');
  const names = readdirSync(packagePath('sql')).map((file) => file.replace(/^(\d{3})_(.*)$/, '20260101000$1_wallet_sync_$2'));
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^\d{14}_[a-z_]+\.sql$/);
});
