// What fails, by kind, with what mends it.
import { byId, h, setText, time } from '../dom.js';
import { count, dayTime, plural } from '../format.js';

/** @param {readonly import('../types.d.ts').ErrorKind[]} errors */
export function showErrors(errors) {
  const sum = errors.reduce((total, error) => total + error.count, 0);
  setText(byId('errors-note'), sum === 0 ? '' : `${plural(sum, 'error')} of ${plural(errors.length, 'kind')}`);
  byId('errors-body').replaceChildren(
    ...(errors.length === 0
      ? [h('p', { class: 'empty-note' }, 'Nothing fails.')]
      : errors.map(({ what, kind, count: times, last_at, message, mend }) =>
          h(
            'article',
            { class: 'error' },
            h('h3', {}, what === undefined ? kind : `${what}: ${kind}`, ' ', h('span', { class: 'tag' }, `${count(times)} ×`), ' ', last_at === null ? null : h('small', {}, 'last ', time(last_at, dayTime))),
            message === null ? null : h('p', {}, message),
            mend === null || mend === '' ? null : h('p', { class: 'mend' }, mend),
          ),
        )),
  );
}
