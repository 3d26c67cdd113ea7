// The wiring: what is heard and asked for goes to the panels. Data flows one way; a panel asks for nothing and knows no other.
import { ApiError, getJson } from './api.js';
import { createConnection } from './connection.js';
import { createControls } from './controls.js';
import { showErrors } from './panels/errors.js';
import { createFeed } from './panels/feed.js';
import { showFunders } from './panels/funders.js';
import { createLog } from './panels/log.js';
import { createResources } from './panels/resources.js';
import { createSweeps } from './panels/sweeps.js';
import { createTrends } from './panels/trends.js';
import { createVerdict } from './panels/verdict.js';
import { showAccounts, showWallets } from './panels/wallets.js';
import { restylePlots } from './plot.js';
import { poll } from './poll.js';
import { openStream } from './stream.js';
import { wireTheme } from './theme.js';

/** How often what is not in the stream is asked for, in ms. */
const EVERY = { status: 10_000, resources: 10_000, errors: 10_000, funders: 30_000, history: 30_000, cycles: 60_000 };

const connection = createConnection();
const controls = createControls(() => errors.now());
const verdict = createVerdict();
const feed = createFeed();
const sweeps = createSweeps();
const resourcesPanel = createResources();
const trends = createTrends(() => history.now());

/** What of the status says that the errors are others now. */
let failures = '';

/** @param {import('./types.d.ts').StatusBody} body */
function showStatus(body) {
  const { corrupted, apart, accounts, instances } = body.status;
  const now = JSON.stringify([corrupted, apart, accounts['failed'], instances.map((instance) => instance.last_error?.at)]);
  if (failures !== '' && failures !== now) errors.now();
  failures = now;
  feed.status(body.service.now, body.status.waiting);
  verdict.status(body);
  controls.paused(body.status.paused);
  showWallets(body.status);
  showAccounts(body.status);
}

const events = openStream(
  '/api/events',
  {
    status: (data) => showStatus(JSON.parse(data)),
    'sign-up': (data) => feed.signedUp(JSON.parse(data)),
    ready: (data) => feed.becameReady(JSON.parse(data)),
    cycle: (data) => sweeps.one(JSON.parse(data)),
  },
  { onOpen: connection.heard, onLost: connection.lost },
);

/**
 * Asks an address again and again. An answer's shape is the service's promise: page and service are of one version.
 * @template Body
 * @param {() => string} path
 * @param {number} everyMs
 * @param {(body: Body) => void} show
 */
const ask = (path, everyMs, show) => poll(async () => show(/** @type {Body} */ (await getJson(path()))), everyMs);

const history = ask(() => `/api/history?minutes=${trends.minutes()}`, EVERY.history, (/** @type {import('./types.d.ts').History} */ body) => {
  trends.show(body);
  resourcesPanel.history(body);
});
const errors = ask(() => '/api/errors', EVERY.errors, (/** @type {{ errors: import('./types.d.ts').ErrorKind[] }} */ body) => showErrors(body.errors));
ask(() => '/api/funders', EVERY.funders, (/** @type {{ funders: import('./types.d.ts').Funder[] }} */ body) => {
  showFunders(body.funders);
  verdict.funders(body.funders);
});
ask(() => '/api/cycles?limit=50', EVERY.cycles, (/** @type {{ cycles: import('./types.d.ts').Cycle[] }} */ body) => sweeps.all(body.cycles));

ask(() => '/api/resources', EVERY.resources, (/** @type {import('./types.d.ts').Resources} */ body) => resourcesPanel.now(body));

// A connection can die without a word, and the stream is silent while nothing happens, or while the service cannot read its database.
poll(async () => {
  try {
    showStatus(/** @type {import('./types.d.ts').StatusBody} */ (await getJson('/api/status')));
    if (connection.isLost()) events.reopen();
    else connection.heard();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === null) connection.lost();
    else connection.ails(`${error.message} ${error.mend}`);
  }
}, EVERY.status);

createLog();
wireTheme(restylePlots);
