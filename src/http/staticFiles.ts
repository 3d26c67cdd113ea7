import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join, relative, sep } from 'node:path';
import type { Context } from 'hono';
import { packagePath } from '../packagePath.js';
import { refuse } from './answers.js';
import type { RouteEnv } from './deps.js';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
};

interface StaticFile {
  readonly path: string;
  readonly type: string;
}

/** What of the chart library the page loads. */
const VENDOR: Readonly<Record<string, string>> = { '/vendor/uPlot.esm.js': 'uPlot.esm.js', '/vendor/uPlot.min.css': 'uPlot.min.css' };

/**
 * The dashboard's files by the path that asks for them, listed once: no path of a request reaches the file system. The chart library's
 * files are those of its installed package.
 */
export function listStaticFiles(folder = packagePath('dashboard')): ReadonlyMap<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  for (const path of existsSync(folder) ? filesBelow(folder) : []) {
    const type = TYPES[extname(path)];
    if (type !== undefined) files.set(`/${relative(folder, path).split(sep).join('/')}`, { path, type });
  }
  const index = files.get('/index.html');
  if (index !== undefined) files.set('/', index);
  const vendor = dirname(createRequire(import.meta.url).resolve('uplot'));
  for (const [url, name] of Object.entries(VENDOR)) files.set(url, { path: join(vendor, name), type: TYPES[extname(name)] ?? '' });
  return files;
}

const filesBelow = (folder: string): string[] => readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));

/** Answers with a file of the table, which the browser may keep and asks about each time. */
export function createStaticFiles(files: ReadonlyMap<string, StaticFile> = listStaticFiles()): (c: Context<RouteEnv>) => Response {
  const read = new Map<string, { readonly tag: string; readonly mtimeMs: number; readonly body: Buffer }>();
  const readFile = ({ path }: StaticFile) => {
    const { mtimeMs } = statSync(path);
    const known = read.get(path);
    if (known?.mtimeMs === mtimeMs) return known;
    const body = readFileSync(path);
    const now = { body, mtimeMs, tag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` };
    read.set(path, now);
    return now;
  };
  return (c) => {
    const file = files.get(c.req.path);
    if (file === undefined || !existsSync(file.path)) return refuse(c, 404, 'there is nothing here', 'open / for the dashboard');
    const { body, tag } = readFile(file);
    const headers = { 'content-type': file.type, 'cache-control': 'no-cache', etag: tag };
    if (c.req.header('if-none-match') === tag) return new Response(null, { status: 304, headers });
    return new Response(new Uint8Array(body), { headers });
  };
}
