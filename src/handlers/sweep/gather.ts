/** Gathers single questions into batches. */
export interface Gather<Q, A> {
  /** Asks one question; answered with the batch that it falls into. */
  ask(question: Q): Promise<A>;
  /** Nobody asks more until the next call of `fill`: what has gathered goes once nothing is under way. */
  drain(): void;
  /** More may be asked: only full batches go. */
  fill(): void;
  /** Nobody wants an answer any more: what has gathered, and whatever is asked later, fails with this. */
  end(error: Error): void;
}

/**
 * A batch goes when it is full, or, when told that nobody asks more, as soon as none is under way. `size` is read for each batch;
 * `work` answers in the order of the questions.
 */
export function createGather<Q, A>(size: () => number, work: (questions: readonly Q[]) => Promise<readonly A[]>): Gather<Q, A> {
  interface Asked {
    readonly question: Q;
    readonly resolve: (answer: A) => void;
    readonly reject: (error: unknown) => void;
  }
  const waiting: Asked[] = [];
  let underWay = 0;
  let draining = false;
  let ended: Error | null = null;

  const run = async (batch: readonly Asked[]): Promise<void> => {
    underWay += 1;
    try {
      const answers = await work(batch.map((each) => each.question));
      batch.forEach((each, i) => {
        each.resolve(answers[i] as A);
      });
    } catch (error) {
      for (const each of batch) each.reject(error);
    } finally {
      underWay -= 1;
      send();
    }
  };

  const send = (): void => {
    while (waiting.length > 0 && (waiting.length >= size() || (draining && underWay === 0))) void run(waiting.splice(0, size()));
  };

  return {
    ask(question) {
      if (ended !== null) return Promise.reject(ended);
      return new Promise((resolve, reject) => {
        waiting.push({ question, resolve, reject });
        send();
      });
    },
    drain() {
      draining = true;
      send();
    },
    fill() {
      draining = false;
    },
    end(error) {
      ended = error;
      for (const each of waiting.splice(0)) each.reject(error);
    },
  };
}
