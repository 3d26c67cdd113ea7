/** A page to ask for, numbered from 1. It begins at row `(page - 1) * size`. */
export interface Window {
  readonly page: number;
  readonly size: number;
}

/**
 * The page of at most `largest` rows that holds the `overlap` rows from `place` on and as many as possible before them. Rows are numbered from 0.
 * A server that takes page numbers alone can begin a page of `size` only at its multiples, so the size decides what is won: with a size
 * that is always the largest, most of the page would often lie behind `place`, and near 1,000,000 users a listing hardly moves.
 */
export function chooseWindow(place: number, overlap: number, largest: number): Window {
  let best: Window = { page: 1, size: 1 };
  let bestGain = -Infinity;
  // No size wins more than size - overlap.
  for (let size = largest; size >= 1 && size - overlap > bestGain; size -= 1) {
    const page = Math.max(1, Math.ceil((place + overlap) / size));
    const gain = place - (page - 1) * size;
    if (gain > bestGain) {
      best = { page, size };
      bestGain = gain;
    }
  }
  return best;
}
