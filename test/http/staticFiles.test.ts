import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Hono } from 'hono';
import type { RouteEnv } from '../../src/http/deps.js';
import { createStaticFiles, listStaticFiles } from '../../src/http/staticFiles.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wallet-sync-static-'));
  mkdirSync(join(folder, 'dashboard', 'styles'), { recursive: true });
  writeFileSync(join(folder, 'secret.js'), 'secret');
  writeFileSync(join(folder, 'dashboard', 'index.html'), '<!doctype html>');
  writeFileSync(join(folder, 'dashboard', 'main.js'), 'export {};');
  writeFileSync(join(folder, 'dashboard', 'types.d.ts'), 'export {};');
  writeFileSync(join(folder, 'dashboard', 'styles', 'parts.css'), 'a {}');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open = (): Hono<RouteEnv> => {
  const app = new Hono<RouteEnv>();
  app.get('*', createStaticFiles(listStaticFiles(join(folder, 'dashboard'))));
  return app;
};

it('what a browser loads is served, with its type, and what it has already is not sent again', async () => {
  const app = open();
  for (const [path, type] of [['/', 'text/html'], ['/index.html', 'text/html'], ['/main.js', 'text/javascript'], ['/styles/parts.css', 'text/css'], ['/vendor/uPlot.esm.js', 'text/javascript'], ['/vendor/uPlot.min.css', 'text/css']] as const) {
    const response = await app.request(path);
    expect(response.status, path).toBe(200);
    expect(response.headers.get('content-type'), path).toContain(type);
    const again = await app.request(path, { headers: { 'if-none-match': response.headers.get('etag') ?? '' } });
    expect(again.status, path).toBe(304);
  }
});

it('no path of a request reaches the file system', async () => {
  const app = open();
  for (const path of ['/../secret.js', '/%2e%2e/secret.js', '/..%2fsecret.js', '/styles/../../secret.js', '//etc/passwd', '/types.d.ts', '/styles', '/styles/', '/vendor/uPlot.cjs.js', '/package.json', '/main.js/', '/main.js%00', '/__proto__', '/constructor']) {
    expect((await app.request(path)).status, path).toBe(404);
  }
});

it('a folder that is not there serves nothing but says so', async () => {
  const app = new Hono<RouteEnv>();
  app.get('*', createStaticFiles(listStaticFiles(join(folder, 'none'))));
  const response = await app.request('/');
  expect(response.status).toBe(404);
  expect(await response.json()).toHaveProperty('mend');
});
