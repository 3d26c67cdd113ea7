import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Daemon } from '../../dev/daemon.js';
import { launchChromium } from '../support/chromium.js';
import { startDaemonWorld, until, type DaemonWorld } from '../support/daemonWorld.js';
import { openDashboard, type DashboardPage } from '../support/dashboardPage.js';

let world: DaemonWorld;
let daemon: Daemon;
let url: string;
let browser: Browser;
let board: DashboardPage;

const addressOf = async (started: Daemon): Promise<string> => `${(await started.logged((line) => line.msg === 'http listening'))['url']}`;
/** SCREENSHOTS=folder keeps pictures of it. */
async function picture(name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await board.page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
/** As the telemetry records them, for an hour that this test has not. */
const addHistory = () =>
  world.stack.postgres.query(
    'postgres',
    `insert into wallet_sync.history (minute, instance, sign_ups, ready, p50_ms, p99_ms, waiting, free, transactions_sealed, transactions_failed, db_connections, scripts, rss_bytes, cpu_ratio, event_loop_lag_ms)
     select date_trunc('minute', clock_timestamp()) - make_interval(mins => ago), gen_random_uuid(), 5 + ago % 7, 5 + ago % 5, 20 + ago, 900 + 40 * ago, ago % 3, 5, 1, 0, 4, 2, 150e6 + ago * 1e5, 0.05, 1.5
     from generate_series(1, 50) ago`,
  );

beforeAll(async () => {
  [world, browser] = await Promise.all([startDaemonWorld(), launchChromium()]);
  daemon = world.daemon({ POOL_SIZE: '5', HTTP_PORT: '0' });
  url = await addressOf(daemon);
  await daemon.logged((line) => line.msg === 'sweep done');
  await addHistory();
  board = await openDashboard(browser, url);
});
afterAll(async () => {
  await browser?.close();
  await world?.stop();
});

describe('the dashboard in Chromium', () => {
  it('says in words that all is well, and which instance says so', async () => {
    await board.headline(/^No user has signed up yet$/);
    await board.page.locator('#connection', { hasText: 'live' }).waitFor();
    expect(await board.page.locator('#instance').innerText()).toContain(`:${daemon.pid}`);
    expect(await board.page.locator('#network').innerText()).toBe('emulator');
  });

  it('shows a sign-up made while it is open as ready, with its time, its source and whether it was from the pool', async () => {
    const [signUp] = await world.signUps(1);
    const row = await board.feedRow(signUp!.authId, 'ready');
    expect(row).toMatch(/0x[0-9a-f]{16}/);
    expect(row).toMatch(/\d m?s\b/);
    expect(row).toMatch(/(pool|made for it), (notify|realtime|poll)/);
    await board.headline(/^The only user has a wallet$/);
    await picture('light');
  });

  it('a pause asks first, then stops: a sign-up waits visibly; resume goes on. All by keyboard', async () => {
    const { page } = board;
    await page.locator('#pause').focus();
    await page.keyboard.press('Enter');
    await page.locator('#confirm[open]').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#confirm:not([open])').waitFor({ state: 'attached' });
    expect((await world.stack.servicePool.query('select paused from wallet_sync.control')).rows).toEqual([{ paused: false }]);

    await page.locator('#pause').focus();
    await page.keyboard.press('Enter');
    await page.locator('#confirm-yes').focus();
    await page.keyboard.press('Enter');
    await board.headline(/^Paused: nothing is made, given or sent$/);
    await page.locator('#outcome', { hasText: /^Paused/ }).waitFor();
    await daemon.logged((line) => line.msg === 'paused');
    const [signUp] = await world.signUps(1);
    expect(await board.feedRow(signUp!.authId, 'waiting')).toContain('waiting');
    await board.headline(/^Paused: .* 1 user waits$/);
    await picture('paused');

    await page.locator('#resume').focus();
    await page.keyboard.press('Enter');
    await page.locator('#outcome', { hasText: /^Resumed/ }).waitFor();
    await board.feedRow(signUp!.authId, 'ready');
    await board.headline(/^All 2 users have a wallet$/);
  });

  it('a resync starts a sweep, which joins the table with its ten counters', async () => {
    const rows = () => board.page.locator('#sweeps-rows tr').count();
    await until(10_000, async () => (await rows()) === 1);
    await board.page.locator('#resync').click();
    await until(20_000, async () => (await rows()) === 2);
    expect(await board.page.locator('#sweeps-head th').allInnerTexts()).toEqual(expect.arrayContaining(['total wallets', 'flow funding errors']));
    await until(20_000, async () => /^2$/.test(await board.page.locator('#counters .spark b').first().innerText()));
  });

  it('draws its charts: latency, throughput, counters, resources', async () => {
    for (const minutes of ['60', '1440']) {
      await board.page.locator(`#range input[value="${minutes}"]`).check({ force: true });
      await until(10_000, async () => (await board.pixelsOf('#latency', '--series-1')) > 100 && (await board.pixelsOf('#throughput', '--series-1')) > 100);
    }
    for (const [place, color] of [['#latency', '--series-2'], ['#counters', '--series-1'], ['#resource-sparks', '--series-1']] as const) {
      expect(await board.pixelsOf(place, color), place).toBeGreaterThan(20);
    }
    await board.page.locator('#latency .plot').focus();
    await board.page.keyboard.press('ArrowLeft');
    expect(await board.page.locator('#latency .when').innerText()).toMatch(/\d\d:\d\d/);
  });

  it('shows funders with their slots, and streams the log with its filters', async () => {
    const { page } = board;
    await page.locator('.funder').first().waitFor();
    expect(await page.locator('.funder').count()).toBe(9);
    await page.locator('#log-lines p', { hasText: 'wallet ready' }).first().waitFor();
    await page.locator('#log-text').fill('no line says this');
    expect(await page.locator('#log-lines p').count()).toBe(0);
    await page.locator('#log-text').fill('');
    await page.locator('#log-pause').click();
    const before = await page.locator('#log-lines p').count();
    await page.locator('#resync').click();
    await page.locator('#log-note', { hasText: /paused, [1-9]/ }).waitFor();
    expect(await page.locator('#log-lines p').count()).toBe(before);
    await page.locator('#log-pause').click();
    await until(5_000, async () => (await page.locator('#log-lines p').count()) > before);
  });

  it('shows what is wrong with what mends it, and takes the text of errors as text', async () => {
    // The sweep that the test before asked for would take this row back: no wallet has the address.
    await until(40_000, async () => (await board.page.locator('#sweeps-rows tr').count()) === 3 && /^the newest ended/.test(await board.page.locator('#sweeps-note').innerText()));
    const text = '<img src=x alt=injected> is not a vault';
    await world.stack.postgres.query('postgres', `insert into wallet_sync.apart (address, work, reason, next_at) values ('0x00000000000000ff', 'check', '${text}', clock_timestamp() + interval '1 day')`);
    await board.headline(/^All 2 users have a wallet$/);
    await board.page.locator('#troubles li', { hasText: '1 wallet is set apart' }).waitFor();
    await board.page.locator('#errors .error', { hasText: text }).waitFor({ timeout: 40_000 });
    await board.page.locator('#errors .mend', { hasText: 'tried again' }).waitFor();
    expect(await board.page.locator('img').count()).toBe(0);
    await picture('trouble');
  });

  it('reaches every control by keyboard', async () => {
    const stops = await board.tabStops();
    const controls = await board.page.evaluate<string[]>(
      `[...document.querySelectorAll('a, button, select, input:not([type=radio]), .scroll')].filter((each) => each.checkVisibility()).map((each) => each.id || each.textContent.trim())`,
    );
    expect(controls.length).toBeGreaterThan(15);
    expect(stops).toEqual(expect.arrayContaining(controls));
    expect(stops[0]).toMatch(/^Skip/);
  });

  it('is light and dark, by the system and by choice', async () => {
    const { page } = board;
    const ground = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const light = await ground();
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await ground();
    expect(dark).not.toBe(light);
    await until(5_000, async () => (await board.pixelsOf('#latency', '--series-1')) > 100);
    await picture('dark');
    await page.locator('#theme').selectOption('light');
    expect(await ground()).toBe(light);
    await page.reload();
    await board.headline(/have a wallet/);
    expect(await ground()).toBe(light);
    await page.locator('#theme').selectOption('auto');
    expect(await ground()).toBe(dark);
  });

  it('fits a phone of 360 px without scrolling sideways, with and without motion', async () => {
    const { page } = board;
    for (const reducedMotion of ['no-preference', 'reduce'] as const) {
      await page.emulateMedia({ colorScheme: 'light', reducedMotion });
      await page.setViewportSize({ width: 360, height: 740 });
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(360);
    }
    await picture('phone');
    await page.setViewportSize({ width: 1_400, height: 1_000 });
  });

  it('has made the browser complain of nothing: no error, no broken policy, nothing loaded from elsewhere', () => {
    expect(board.complaints).toEqual([]);
  });

  it('says since when it is disconnected, comes back by itself, and leads to the login where a token is wanted', async () => {
    const { page } = board;
    const HTTP_PORT = new URL(url).port;
    await daemon.stop();
    await page.locator('#disconnected', { hasText: /^Disconnected since \d\d:\d\d:\d\d/ }).waitFor();
    await picture('disconnected');
    daemon = world.daemon({ POOL_SIZE: '5', HTTP_PORT });
    await page.locator('#disconnected').waitFor({ state: 'hidden', timeout: 30_000 });
    await page.locator('#instance', { hasText: `:${daemon.pid}` }).waitFor();

    await daemon.stop();
    daemon = world.daemon({ POOL_SIZE: '5', HTTP_PORT, HTTP_TOKEN: 'a-token-for-this-test-alone-0123456789' });
    await page.waitForURL('**/login', { timeout: 30_000 });
    await page.locator('input[name=token]').fill('a-token-for-this-test-alone-0123456789');
    await page.keyboard.press('Enter');
    await board.headline(/have a wallet/);
  });
});
