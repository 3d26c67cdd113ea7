// The first line: whether all is well, in words, and what is wrong with what mends it.
import { byId, h, setText } from '../dom.js';
import { dayTime } from '../format.js';
import { judge } from '../verdict.js';

/** @typedef {import('../types.d.ts').StatusBody} StatusBody */
/** @typedef {import('../types.d.ts').Funder} Funder */

/** More would push everything else off the screen. */
const SHOWN = 8;

/** @returns {{ status: (body: StatusBody) => void, funders: (funders: readonly Funder[]) => void }} */
export function createVerdict() {
  /** @type {StatusBody | null} */
  let body = null;
  /** @type {readonly Funder[]} */
  let funders = [];
  let drawn = '';

  const draw = () => {
    if (body === null) return;
    const verdict = judge(body.status, funders);
    const text = JSON.stringify(verdict);
    if (text === drawn) return;
    drawn = text;
    byId('verdict').dataset['level'] = verdict.level;
    setText(byId('headline'), verdict.headline);
    document.title = `${{ good: '✓', busy: '…', paused: '‖', warn: '!', bad: '✗' }[verdict.level]} ${verdict.headline} · wallet-sync`;
    const more = verdict.troubles.length - SHOWN;
    byId('troubles').replaceChildren(
      ...verdict.troubles.slice(0, SHOWN).map(({ level, text, mend }) => h('li', { 'data-level': level }, ...(text === verdict.headline ? [] : [h('span', { class: 'what' }, text), ' ']), h('span', { class: 'mend' }, mend))),
      ...(more > 0 ? [h('li', {}, `and ${more} more: wallet-sync status`)] : []),
    );
  };

  return {
    status(next) {
      body = next;
      const { service } = next;
      setText(byId('network'), service.network);
      byId('network').dataset['network'] = service.network;
      const others = next.status.instances.length - 1;
      setText(byId('instance'), `${service.host}:${service.pid}${others > 0 ? ` and ${others} more` : ''} · version ${service.version} · up since ${dayTime(service.started_at)}`);
      draw();
    },
    funders(next) {
      funders = next;
      draw();
    },
  };
}
