/**
 * What becomes of the next transaction that is sent for the first time:
 * - `answer lost`: taken, and the sender hears of a broken connection.
 * - `refused`: not taken, and the sender hears the same.
 * - `dropped`: accepted, and never executed, however often it is sent.
 * - `late`: accepted, and executed so many blocks later.
 * - `result hidden`: executed, but its result is pending for ever.
 * - `hidden`: the same, and its events are missing too: the node lies.
 */
export type SendFault =
  | { readonly name: 'answer lost' | 'refused' | 'dropped' | 'result hidden' | 'hidden' }
  | { readonly name: 'late'; readonly blocks: number };
