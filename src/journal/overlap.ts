/** Follows rows by a growing number of theirs, their place, though a lower place may be committed after a higher one. */
export interface Overlap {
  /** Starts behind this place. */
  begin(place: number): void;
  /** The place behind which the next look begins. */
  from(): number;
  /** Of the rows found behind it, those not told before, in order of their places. */
  fresh<Row extends { readonly place: number }>(rows: readonly Row[]): Row[];
}

/** `looks`: a row committed so many looks after one with a higher place is still told; later ones are not. */
export function createOverlap(looks: number): Overlap {
  /** The highest place at each of the last looks, the oldest first. */
  let highs: number[] = [0];
  let told = new Set<number>();
  const from = (): number => highs[0] ?? 0;
  return {
    begin(place) {
      highs = [place];
      told = new Set();
    },
    from,
    fresh(rows) {
      const news = rows.filter((row) => !told.has(row.place)).sort((a, b) => a.place - b.place);
      highs.push(Math.max(highs.at(-1) ?? 0, news.at(-1)?.place ?? 0));
      if (highs.length > looks) highs.shift();
      for (const { place } of news) told.add(place);
      for (const place of told) if (place <= from()) told.delete(place);
      return news;
    },
  };
}
