import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import type { AccessLog } from './accessLog.js';
import { answerError, refuse } from './answers.js';
import { apiRoutes } from './api.js';
import type { HttpDeps, RouteEnv } from './deps.js';
import { createEventStream } from './eventStream.js';
import { limitBody, requireJson, requireLoopbackName, requireSameOrigin, requireToken } from './guard.js';
import { securityHeaders } from './headers.js';
import { healthRoutes } from './health.js';
import { loginRoutes } from './login.js';
import { answerLogs } from './logStream.js';
import { createServiceReader } from './service.js';
import { createStaticFiles } from './staticFiles.js';
import { createStreams } from './streams.js';
import { createTokenCheck } from './token.js';

/** Of the 200 connections, so many may be streams: a page has two. */
const MAX_EVENT_CLIENTS = 100;
const MAX_LOG_CLIENTS = 30;

export interface App {
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Ends the streams; what else is asked is still answered. */
  stop(): void;
}

/** The routes, in the order in which a request passes them. */
export function createApp(deps: HttpDeps, accessLog: AccessLog): App {
  const { instance, journal, logTail } = deps;
  const { log, settings } = instance;
  const token = settings.HTTP_TOKEN === undefined ? null : createTokenCheck(settings.HTTP_TOKEN);
  const service = createServiceReader(deps);
  const eventClients = createStreams({ name: 'events', log, accessLog, maxClients: MAX_EVENT_CLIENTS });
  const logClients = createStreams({ name: 'logs', log, accessLog, maxClients: MAX_LOG_CLIENTS });
  const events = createEventStream({ journal, service, log, send: eventClients.send, size: () => eventClients.size });

  const app = new Hono<RouteEnv>();
  app.onError((thrown, c) => answerError(c, thrown, log));
  app.notFound((c) => refuse(c, 404, 'there is nothing here', 'open / for the dashboard'));
  app.use(securityHeaders);
  app.use(token === null ? requireLoopbackName : requireToken(token));
  app.use(requireSameOrigin);
  app.use(limitBody);
  app.use('/api/*', requireJson);
  app.route('/', healthRoutes(deps));
  app.route('/login', loginRoutes(token));
  app.get('/metrics', async (c) => {
    const { contentType, body } = await deps.metricsText();
    return c.body(body, 200, { 'content-type': contentType });
  });
  app.get('/api/events', (c) => eventClients.open(c, events.begin));
  app.get('/api/logs', (c) => answerLogs(c, logClients, logTail));
  app.route('/api', apiRoutes(deps, service));
  app.get('*', createStaticFiles());

  return {
    // The global Request and Response stay Node's own: the rest of the daemon uses them too.
    answer: getRequestListener(app.fetch, { overrideGlobalObjects: false }),
    stop() {
      events.stop();
      eventClients.stop();
      logClients.stop();
    },
  };
}
