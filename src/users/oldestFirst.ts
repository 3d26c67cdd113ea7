import { AppError } from '../errors.js';
import { chooseWindow } from './window.js';

/** A row of a list that is ordered by `instant`, the newest first. Rows of one instant come in any order, another one each time. */
export interface Listed {
  readonly id: string;
  /** When it was created, in microseconds since 1970. */
  readonly instant: number;
}

export interface Answer<Row> {
  /** From one snapshot of the list. */
  readonly rows: readonly Row[];
  /** How many rows the list had a moment before. */
  readonly total: number;
}

export interface Walk {
  /** Rows to ask for at a time. */
  readonly pageSize: number;
  /** The most rows to ask for at a time, where those of one instant fill a page. */
  readonly largestPage: number;
  /** Rows of this instant and before it are left out. -Infinity: none. */
  readonly after: number;
}

/** Answers in a row without anything new before the walk is given up: finding its place takes some 2 × log2 of the pages (20 at 1,000,000 users). */
const MOST_IN_VAIN = 200;
/** With fewer rows a page, there are places up to 1,500,000 that every page begins at: none holds a row before and one behind (20 rows: at 636,480). */
const SMALLEST_PAGE = 25;
/** So often a page that is shorter than it should be is put down to somebody who left between the count and the rows. */
const SHORT_BY_CHANCE = 2;

const MEND = { where: 'Auth server', mend: 'set USER_SOURCE=postgres' };

/**
 * All rows after an instant, the oldest first, in groups: those of one instant are always in one group. `ask` is told a page (from 1) and its size, and
 * may answer with fewer rows than it is asked for.
 *
 * Between two answers rows shift: an arrival pushes all older ones back, one that leaves lets them move up. So nothing rests on numbers of rows but where to
 * look. An answer is one snapshot, a run without gaps; where it holds a row that was given before, or ends the list, what is new in it follows without a gap
 * too. Only its newest instant may be cut and waits for the next answer, but on page 1. Where an answer holds no row that was given, the place is looked for.
 * Throws an AppError where more rows have one instant than a page can hold, or where nothing new comes for very long.
 */
export async function* oldestFirst<Row extends Listed>(ask: (page: number, size: number) => Promise<Answer<Row>>, walk: Walk): AsyncGenerator<Row[]> {
  let given = walk.after;
  let size = walk.pageSize;
  let mayGrow = true;
  /** Where the newest row that was given is thought to be. Page 1 comes first: it shows whether the server cuts its pages. */
  let place = 0;
  let bounds: Bounds = { from: null, to: null, step: size };
  let shortAnswers = 0;
  let isStuck = false;

  for (let inVain = 0; inVain < MOST_IN_VAIN; inVain += 1) {
    const window = chooseWindow(place, Math.max(3, size >> 3), size);
    const start = (window.page - 1) * window.size;
    const { rows, total } = await ask(window.page, window.size);
    refuseDisorder(rows);
    const isShort = rows.length < window.size;
    const isEnd = isShort && start + rows.length >= total;
    if (isShort && !isEnd) {
      shortAnswers += 1;
      if (shortAnswers <= SHORT_BY_CHANCE) continue;
      // The server gives fewer rows a page than it is asked for. Its later pages then begin elsewhere than those asked for, so this is learned from page 1.
      shortAnswers = 0;
      if (window.page === 1) {
        if (rows.length < SMALLEST_PAGE) throw new AppError('data', `it gives ${rows.length} of ${total} users a page`, MEND);
        size = rows.length;
        mayGrow = false;
      }
      place = 0;
      bounds = { from: null, to: null, step: size };
      continue;
    }
    shortAnswers = 0;

    const firstGiven = rows.findIndex((row) => row.instant <= given);
    const fresh = firstGiven === -1 ? rows : rows.slice(0, firstGiven);
    if (firstGiven === -1 && !isEnd) {
      // All of it is newer: the place is further back, and where nothing was given yet, at the list's end.
      bounds = { ...bounds, from: start + rows.length };
      if (given === -Infinity) place = Math.max(total, start + rows.length);
      else [place, bounds] = look(bounds, 'back', total, size);
      continue;
    }
    if (fresh.length === 0) {
      if (start === 0) return;
      bounds = { ...bounds, to: start };
      [place, bounds] = look(bounds, 'forward', total, size);
      continue;
    }
    const newest = fresh[0]?.instant ?? given;
    const whole = start === 0 ? fresh : fresh.filter((row) => row.instant < newest);
    place = start + fresh.length - whole.length;
    bounds = { from: null, to: null, step: size };
    if (whole.length > 0) {
      given = whole[0]?.instant ?? given;
      yield whole.toSorted((a, b) => a.instant - b.instant || (a.id < b.id ? -1 : 1));
      if (start === 0) return;
      inVain = 0;
      isStuck = false;
      continue;
    }
    // The first time, the page may only have been chosen badly, because rows had shifted.
    if (isStuck) {
      if (!mayGrow || size >= walk.largestPage) throw new AppError('data', `more than ${fresh.length - 1} users have one created_at, ${new Date(newest / 1_000).toISOString()}, and can't be read in pages of ${size}`, MEND);
      size = Math.min(size * 2, walk.largestPage);
      place = 0;
    }
    isStuck = true;
  }
  throw new AppError('network', 'users come and go faster than they can be listed', MEND);
}

/** The place is at or behind `from`, and at or before `to`, as far as is known; `step`: how far to go where only one is. */
interface Bounds {
  readonly from: number | null;
  readonly to: number | null;
  readonly step: number;
}

/** Where to look next: halfway between the bounds, or beyond the one that is known, each time twice as far. */
function look({ from, to, step }: Bounds, way: 'back' | 'forward', total: number, size: number): [number, Bounds] {
  if (from !== null && to !== null && from <= to) return [(from + to) >> 1, { from, to, step }];
  // Bounds that contradict each other are of different moments: the older one is forgotten.
  const far = from !== null && to !== null ? size : step;
  if (way === 'back') return [Math.min(total, (from ?? 0) + far), { from, to: null, step: far * 2 }];
  return [Math.min(total, Math.max(0, (to ?? 0) - far)), { from: null, to, step: far * 2 }];
}

function refuseDisorder(rows: readonly Listed[]): void {
  const isOrdered = rows.every((row, index) => index === 0 || row.instant <= (rows[index - 1]?.instant ?? Infinity));
  if (!isOrdered) throw new AppError('data', 'it does not list the newest users first', MEND);
}
