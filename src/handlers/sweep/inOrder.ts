import { AppError } from '../../errors.js';

export interface InOrderOptions<T, R> {
  readonly work: (item: T) => Promise<R>;
  /** How much one item counts. */
  readonly weigh: (item: T) => number;
  /** How much may be under way. */
  readonly room: () => number;
  /** Called with true when no more starts until the oldest is done, then with false. */
  readonly onFull: (isFull: boolean) => void;
  /** Called where it ends with items under way, which are waited for: after a failure, or because nobody wants more. */
  readonly onBrokenOff: () => void;
}

/**
 * Works on many items at once and gives the results in the order of the items. What is under way is bounded, so its memory does not
 * grow with the source. After a failure no more is started; it is thrown in its turn.
 */
export async function* inOrder<T, R>(source: AsyncIterable<T>, options: InOrderOptions<T, R>): AsyncGenerator<R, void> {
  const underWay: { readonly weight: number; readonly result: Promise<R> }[] = [];
  let weight = 0;
  const oldest = async (): Promise<R> => {
    const first = underWay[0];
    if (first === undefined) throw new AppError('internal', 'nothing is under way');
    options.onFull(true);
    const result = await first.result;
    options.onFull(false);
    underWay.shift();
    weight -= first.weight;
    return result;
  };
  try {
    for await (const item of source) {
      const result = options.work(item);
      // Thrown when its turn comes.
      result.catch(() => undefined);
      underWay.push({ weight: options.weigh(item), result });
      weight += options.weigh(item);
      while (weight >= options.room()) yield await oldest();
    }
    while (underWay.length > 0) yield await oldest();
  } finally {
    if (underWay.length > 0) options.onBrokenOff();
    await Promise.allSettled(underWay.map((each) => each.result));
  }
}
