// The log of the instance that serves this page, with filters: level and user are the server's, text is ours.
import { byId, h, setText } from '../dom.js';
import { clock, count, isUuid } from '../format.js';
import { logUrl, parseLogLine } from '../logLine.js';
import { openStream } from '../stream.js';

/** @typedef {import('../logLine.js').LogLine} LogLine */

/** Of the page, and of what is kept while it is paused or filtered. */
const KEPT = 500;
/** This page's own questions would drown what happens. */
const ACCESS = 'http access';
/** Drawn four times a second at most, however much is logged. */
const DRAW_MS = 250;
/** So close to its end, the log follows. */
const AT_END_PX = 40;

/** Wires the panel and opens its stream. */
export function createLog() {
  const box = byId('log-lines');
  const level = /** @type {HTMLSelectElement} */ (byId('log-level'));
  const user = /** @type {HTMLInputElement} */ (byId('log-user'));
  const text = /** @type {HTMLInputElement} */ (byId('log-text'));
  const access = /** @type {HTMLInputElement} */ (byId('log-access'));
  const pause = byId('log-pause');
  /** @type {LogLine[]} */
  let kept = [];
  /** @type {LogLine[]} Not drawn yet. */
  let fresh = [];
  let paused = false;
  let isLive = false;
  /** @type {{ close: () => void } | null} */
  let stream = null;

  const fits = (/** @type {LogLine} */ line) => line.search.includes(text.value.trim().toLowerCase());
  const redraw = () => {
    box.replaceChildren(...kept.filter(fits).map(toElement));
    box.scrollTop = box.scrollHeight;
  };
  const note = () => user.getAttribute('aria-invalid') !== 'true' && setText(byId('log-note'), paused ? `paused, ${fresh.length === KEPT ? 'at least ' : ''}${count(fresh.length)} more since` : isLive ? `the newest ${count(KEPT)} lines` : 'disconnected');
  const draw = () => {
    note();
    if (paused || fresh.length === 0) return;
    const follows = box.scrollHeight - box.scrollTop - box.clientHeight < AT_END_PX;
    kept = [...kept, ...fresh].slice(-KEPT);
    box.append(...fresh.filter(fits).map(toElement));
    fresh = [];
    while (box.childElementCount > KEPT) box.firstElementChild?.remove();
    if (follows) box.scrollTop = box.scrollHeight;
  };

  const open = () => {
    stream?.close();
    const reset = () => {
      // The server begins with its last lines each time.
      kept = [];
      fresh = [];
      isLive = true;
      if (!paused) redraw();
    };
    stream = openStream(
      logUrl({ level: level.value, user: user.value.trim() }),
      {
        log(data) {
          const line = parseLogLine(data);
          if (line.msg === ACCESS && !access.checked) return;
          fresh.push(line);
          if (fresh.length > KEPT) fresh.shift();
        },
      },
      { onOpen: reset, onLost: () => void (isLive = false) },
    );
  };

  setInterval(draw, DRAW_MS);
  const apply = () => {
    const isId = user.value.trim() === '' || isUuid(user.value);
    user.setAttribute('aria-invalid', `${!isId}`);
    if (isId) open();
    else setText(byId('log-note'), 'That is not a user id.');
  };
  byId('log-form').addEventListener('submit', (event) => {
    event.preventDefault();
    apply();
  });
  level.addEventListener('change', apply);
  access.addEventListener('change', apply);
  text.addEventListener('input', redraw);
  pause.addEventListener('click', () => {
    paused = !paused;
    pause.setAttribute('aria-pressed', `${paused}`);
    setText(pause, paused ? 'Go on' : 'Pause the log');
    draw();
  });
  open();
}

/** @param {LogLine} line */
const toElement = ({ at, level, msg, rest }) =>
  h('p', { 'data-level': level }, at === '' ? null : h('time', { datetime: at, title: at }, clock(at)), ' ', h('span', { class: 'level' }, level), ' ', h('b', {}, msg), ' ', h('span', { class: 'rest' }, rest));
