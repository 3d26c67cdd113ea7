// The HTTP API's requests. Its answers are shown, never trusted: see dom.js.

/** A request that failed: what is wrong, and what mends it. */
export class ApiError extends Error {
  /** @param {string} message @param {string} mend @param {number | null} status null where there was no answer */
  constructor(message, mend, status) {
    super(message);
    this.name = 'ApiError';
    this.mend = mend;
    this.status = status;
  }
}

/** An answer that takes longer is none: the page says that it is disconnected. */
const TIMEOUT_MS = 10_000;

/**
 * GET, as JSON.
 * @param {string} path
 * @returns {Promise<unknown>}
 */
export const getJson = (path) => request(path, {});

/**
 * Asks the service to do something.
 * @param {'pause' | 'resume' | 'resync' | 'retry'} command
 * @param {string | null} authId one user's; null: all
 * @returns {Promise<unknown>}
 */
export const postControl = (command, authId) =>
  request('/api/control', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(authId === null ? { command } : { command, auth_id: authId }),
  });

/** @param {string} path @param {RequestInit} init */
async function request(path, init) {
  const response = await fetch(path, { ...init, credentials: 'same-origin', signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => {
    throw new ApiError('The service did not answer.', 'Is it running, and is the network between it and you up?', null);
  });
  if (response.status === 401) {
    location.assign('/login');
    throw new ApiError('You are not logged in.', 'Log in with the token.', 401);
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw toError(response.status, body);
  return body;
}

/** @param {number} status @param {unknown} body */
function toError(status, body) {
  /** @param {string} name */
  const text = (name) => {
    const value = typeof body === 'object' && body !== null ? /** @type {Record<string, unknown>} */ (body)[name] : null;
    return typeof value === 'string' ? value : null;
  };
  return new ApiError(text('error') ?? `The service answered ${status}.`, text('mend') ?? 'Its log says why.', status);
}
