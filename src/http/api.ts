import { Hono } from 'hono';
import { z } from 'zod';
import { lastCycles } from '../journal/cycles.js';
import { readHistory } from '../journal/history.js';
import { readInput } from './answers.js';
import { answerControl } from './control.js';
import { cycleToJson } from './cycleJson.js';
import type { HttpDeps, RouteEnv } from './deps.js';
import { reportErrors, reportFunders } from './reports.js';
import type { ServiceReader } from './service.js';
import { createSharedRead } from '../sharedRead.js';

const whole = (fallback: number, max: number) => z.coerce.number(`must be a whole number from 1 to ${max}`).int().min(1).max(max).default(fallback);
const cyclesQuery = z.object({ limit: whole(50, 500) });
const historyQuery = z.object({ minutes: whole(180, 44_640) });

/** Balances are asked of the chain, whose calls are counted. */
const FUNDERS_MS = 10_000;
const ERRORS_MS = 2_000;
const RESOURCES_MS = 1_000;

/** What the dashboard reads and asks for, under /api. */
export function apiRoutes(deps: HttpDeps, service: ServiceReader): Hono<RouteEnv> {
  const routes = new Hono<RouteEnv>();
  const funders = createSharedRead(() => reportFunders(deps), FUNDERS_MS);
  const errors = createSharedRead(() => reportErrors(deps), ERRORS_MS);
  const resources = createSharedRead(() => deps.readResources(), RESOURCES_MS);

  routes.get('/status', async (c) => c.json(await service.read()));
  routes.get('/cycles', async (c) => {
    const { limit } = readInput(cyclesQuery, c.req.query(), 'query');
    return c.json({ cycles: (await lastCycles(deps.journal, limit)).map(cycleToJson) });
  });
  routes.get('/history', async (c) => {
    const { minutes } = readInput(historyQuery, c.req.query(), 'query');
    return c.json({ step_s: 60, samples: await readHistory(deps.journal, { minutes }) });
  });
  routes.get('/funders', async (c) => c.json(await funders.read()));
  routes.get('/errors', async (c) => c.json(await errors.read()));
  routes.get('/resources', async (c) => c.json((await resources.read()) as object));
  routes.post('/control', async (c) => {
    const answer = await answerControl(c, deps);
    service.forget();
    errors.forget();
    return answer;
  });
  return routes;
}
