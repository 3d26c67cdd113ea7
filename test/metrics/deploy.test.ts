import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { createInstruments } from '../../src/metrics/metrics.js';
import { packagePath } from '../../src/packagePath.js';

const { registry } = createInstruments({ funders: [], version: '', network: '', startedAtSeconds: 0, sweepIntervalSeconds: 0, poolSize: 0, lowWaterFlow: 0 });
const all = registry.getMetricsAsArray() as unknown as readonly { name: string; type: string; labelNames: readonly string[] }[];
/** Every name that a query may use, with the labels that it has; those that Prometheus adds are `instance` and `job`. */
const labelsOf = new Map(all.flatMap(({ name, type, labelNames }) => (type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => [name + suffix, [...labelNames, 'le']] as const) : [[name, labelNames] as const])));

const alerts = z
  .object({ groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string(), annotations: z.object({ summary: z.string(), description: z.string(), runbook: z.string() }) })) })) })
  .parse(parse(readFileSync(packagePath('deploy/prometheus/alerts.yml'), 'utf8')))
  .groups.flatMap((group) => group.rules);
const panels = z
  .object({ panels: z.array(z.object({ title: z.string(), type: z.string(), targets: z.array(z.object({ expr: z.string() })).default([]) })) })
  .parse(JSON.parse(readFileSync(packagePath('deploy/grafana/wallet-sync.json'), 'utf8'))).panels;
const queries = [...alerts.map(({ alert, expr }) => ({ of: alert, expr })), ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ of: title, expr })))];

describe('the alert rules and the Grafana dashboard', () => {
  it('ask for metrics that exist, by labels that they have', () => {
    expect(queries.length).toBeGreaterThan(60);
    for (const { of, expr } of queries) {
      const names = [...expr.matchAll(/wallet_sync_\w+/g)].map(([name]) => name);
      expect(names.length, of).toBeGreaterThan(0);
      for (const name of names) expect([...labelsOf.keys()], of).toContain(name);
      const known = new Set([...names.flatMap((name) => labelsOf.get(name) ?? []), 'instance']);
      const asked = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(',').map((label) => label.trim())).filter((label) => label !== '');
      const matched = [...expr.matchAll(/\{(\w+)[!=]/g)].map(([, label]) => label!);
      for (const label of [...asked, ...matched]) expect(known, `${of}: ${label}`).toContain(label);
      const [open, close] = ['(', ')'].map((sign) => expr.split(sign).length);
      expect(open, of).toBe(close);
    }
  });

  it('each rule names its section of the runbook after itself', () => {
    for (const { alert, annotations } of alerts) expect(annotations.runbook).toBe(`docs/operations.md#${alert.replace(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase()}`);
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
  });

  it('the dashboard shows every metric but those that only alerts compare with', () => {
    const shown = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join('\n');
    const unshown = all.map(({ name }) => name).filter((name) => !shown.includes(name));
    expect(unshown).toEqual(['wallet_sync_funder_seen_timestamp_seconds', 'wallet_sync_build_info', 'wallet_sync_process_start_timestamp_seconds'].filter((name) => !shown.includes(name)));
  });
});
