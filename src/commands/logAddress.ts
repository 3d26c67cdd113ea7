import { hostname } from 'node:os';
import { AppError } from '../errors.js';
import type { LivingInstance } from '../journal/instances.js';
import { isLoopback } from '../loopback.js';

export interface LogAddress {
  /** As errors name it: host:pid. */
  readonly name: string;
  readonly url: URL;
  readonly token: string | undefined;
}

/**
 * Where an instance's log is read from here: on its own host through loopback where it listens there, from another host with the token.
 * Throws `usage` where that cannot be.
 */
export function addressForLogs(instance: Pick<LivingInstance, 'host' | 'pid' | 'http_url'>, token: string | undefined, here = hostname()): LogAddress {
  const name = `${instance.host}:${instance.pid}`;
  const url = new URL(instance.http_url ?? 'http://127.0.0.1');
  if (instance.host === here) {
    // It listens on every address when it is known by the host's name.
    if (url.hostname === here.toLowerCase()) url.hostname = '127.0.0.1';
  } else if (isLoopback(url.hostname)) {
    throw new AppError('usage', `${name} runs on host ${instance.host} and answers only there`, { where: url.origin, mend: `run this on ${instance.host}, or set HTTP_HOST and HTTP_TOKEN there` });
  } else if (token === undefined) {
    throw new AppError('usage', `${name} runs on host ${instance.host}, and HTTP_TOKEN is not set here`, { where: url.origin, mend: `set HTTP_TOKEN to the one of ${instance.host}, or run this there` });
  }
  return { name, url, token };
}
