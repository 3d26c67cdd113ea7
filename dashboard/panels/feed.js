// Sign-ups as they come: each waits visibly until its wallet is ready.
import { byId, h, setText } from '../dom.js';
import { createFeedModel } from '../feedModel.js';
import { clock, milliseconds, plural, shortId } from '../format.js';

/** @typedef {import('../types.d.ts').FeedRow} FeedRow */

const ROWS = 100;
/** A flood of events is drawn four times a second, not once an event; the seconds of who waits tick with it. */
const DRAW_MS = 250;
/** A status may have been read so long before it is told, and a sign-up's events between. */
const SETTLED_MS = 60_000;

/** @returns {{ signedUp: (event: import('../types.d.ts').SignUpEvent) => void, becameReady: (event: import('../types.d.ts').ReadyEvent) => void, status: (iso: string, waiting: number) => void }} */
export function createFeed() {
  const model = createFeedModel(ROWS);
  const body = byId('feed-rows');
  /** @type {Map<string, { row: FeedRow, element: HTMLTableRowElement, wait: HTMLElement }>} */
  const drawn = new Map();
  let changed = false;
  /** The reader's clock may be wrong: what waits is measured by the server's. */
  let clockOffset = 0;

  const draw = () => {
    const rows = model.rows();
    const ids = new Set(rows.map((row) => row.authId));
    for (const [id, { element }] of drawn) if (!ids.has(id)) {
      element.remove();
      drawn.delete(id);
    }
    rows.forEach((row, index) => {
      const known = drawn.get(row.authId);
      const line = known === undefined || known.row !== row ? toLine(row) : known;
      if (line !== known) known?.element.remove();
      drawn.set(row.authId, line);
      if (body.children[index] !== line.element) body.insertBefore(line.element, body.children[index] ?? null);
    });
    const waiting = rows.filter((row) => row.ready === null).length;
    byId('feed-empty').hidden = rows.length > 0;
    setText(byId('feed-note'), rows.length === 0 ? '' : `newest ${rows.length}, ${waiting === 0 ? 'none waits' : `${plural(waiting, 'user')} ${waiting === 1 ? 'waits' : 'wait'}`}`);
  };

  setInterval(() => {
    if (document.hidden) return;
    if (changed) draw();
    changed = false;
    for (const { row, wait } of drawn.values()) if (row.ready === null) setText(wait, waited(row, Date.now() + clockOffset));
  }, DRAW_MS);

  return {
    signedUp(event) {
      model.signedUp(event);
      changed = true;
    },
    becameReady(event) {
      model.becameReady(event);
      changed = true;
    },
    status(iso, waiting) {
      clockOffset = Date.parse(iso) - Date.now();
      if (waiting > 0) return;
      model.nobodyWaits(Date.parse(iso) - SETTLED_MS);
      changed = true;
    },
  };
}

/** Whole seconds: tenths that tick say no more, and are unquiet. @param {FeedRow} row @param {number} now */
const waited = (row, now) => `${Math.max(0, Math.floor((now - row.signedUpAt) / 1_000))} s …`;

/** @param {FeedRow} row */
function toLine(row) {
  const { ready, authId, signedUpAt } = row;
  const wait = h('span', { class: 'wait' }, ready === null ? waited(row, signedUpAt) : milliseconds(ready.waitedMs));
  const how = ready === null ? 'waiting' : `${ready.fromPool ? 'pool' : 'made for it'}${ready.source === null ? '' : `, ${ready.source}`}`;
  const element = h(
    'tr',
    { 'data-state': ready === null ? 'waiting' : 'ready', 'data-user': authId },
    h('td', {}, clock(signedUpAt)),
    h('td', { title: authId }, h('code', {}, shortId(authId)), ready === null ? null : h('code', { class: 'address' }, ` ${ready.address}`)),
    h('td', { class: 'number' }, h('span', { class: 'dot', 'aria-hidden': 'true' }), wait),
    h('td', {}, how),
  );
  return { row, element, wait };
}
