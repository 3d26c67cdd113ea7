import type { Context } from 'hono';
import { pino } from 'pino';
import { z } from 'zod';
import { passes, type LogTail } from '../logTail.js';
import { readInput } from './answers.js';
import type { RouteEnv } from './deps.js';
import { eventFrame, type StreamClient } from './streamClient.js';
import type { Streams } from './streams.js';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
const logsQuery = z.object({
  level: z.enum(LEVELS, `must be one of ${LEVELS.join(', ')}`).default('info'),
  user: z.guid('must be a user id (uuid)').toLowerCase().optional(),
  limit: z.coerce.number('must be a whole number from 0 to 2000').int().min(0).max(2_000).default(200),
  follow: z.enum(['0', '1'], 'must be 0 or 1').default('1'),
});

/** GET /api/logs: the last lines that pass, then (unless follow=0) each as it is written. */
export function answerLogs(c: Context<RouteEnv>, streams: Streams, logTail: LogTail): Response {
  const { level, user, limit, follow } = readInput(logsQuery, c.req.query(), 'query');
  const filter = { level: pino.levels.values[level] ?? 0, user };
  const toFrame = (line: string): Buffer => eventFrame('log', line);
  let leave = (): void => undefined;
  return streams.open(
    c,
    (client: StreamClient) => {
      const past = logTail.lines().filter((line) => passes(line, filter));
      client.begin(past.slice(past.length - Math.min(limit, past.length)).map(toFrame));
      if (follow === '0') return client.end();
      leave = logTail.follow((line) => {
        if (passes(line, filter)) client.send(toFrame(line));
      });
    },
    () => leave(),
  );
}
