// Whether what the page shows is of now. The banner says since when it is not.
import { byId, setText } from './dom.js';
import { clock, duration } from './format.js';

/** Shows and hides the banner. */
export function createConnection() {
  const banner = byId('disconnected');
  const badge = byId('connection');
  /** @type {number | null} */
  let since = null;
  let everHeard = false;

  /** What the service itself says it cannot do. */
  let ailment = '';

  const show = () => {
    const isStale = since !== null || ailment !== '';
    banner.hidden = !isStale;
    // A verdict of before is none: it keeps its words and loses its colour.
    document.body.dataset['stale'] = `${isStale}`;
    if (since === null && ailment !== '') setText(banner, `What you see may be old: ${ailment}`);
    badge.dataset['state'] = since === null ? (everHeard ? 'ok' : 'connecting') : 'down';
    setText(badge, since === null ? (everHeard ? 'live' : 'connecting') : 'disconnected');
    if (since !== null) setText(banner, `Disconnected since ${clock(since)} (${duration((Date.now() - since) / 1_000)}). ${everHeard ? 'What you see is from before' : 'Nothing was heard yet'}; trying again.`);
  };
  setInterval(() => since !== null && show(), 1_000);

  return {
    heard() {
      since = null;
      ailment = '';
      everHeard = true;
      show();
    },
    /** The service answers, but cannot read what it is asked for. @param {string} text */
    ails(text) {
      since = null;
      ailment = text;
      show();
    },
    lost() {
      since ??= Date.now();
      show();
    },
    isLost: () => since !== null,
  };
}
