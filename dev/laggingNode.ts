import { errorAnswer, unknownResult, type NodeAnswer } from './accessNodeAnswers.js';

/** Asks the node that is ahead, by path. */
export type Ask = (path: string) => Promise<NodeAnswer>;

/** A GET as a node answers it that is so many blocks behind the one that `ask` reaches. */
export async function askLagging(ask: Ask, path: string, blocksBehind: number): Promise<NodeAnswer> {
  const txId = resultId(path);
  if (txId !== null) return laggingResult(ask, path, txId, blocksBehind);
  if (path.startsWith('/v1/events')) return laggingEvents(ask, path, blocksBehind);
  return ask(path);
}

/** The id whose result a path asks for; null for any other path. */
export function resultId(path: string): string | null {
  return /^\/v1\/transaction_results\/([0-9a-f]{64})/.exec(path)?.[1] ?? null;
}

/** A result in a block that this node has not reached is one it doesn't know. */
async function laggingResult(ask: Ask, path: string, txId: string, blocksBehind: number): Promise<NodeAnswer> {
  const head = (await heightOf(ask, '/v1/blocks?height=sealed')) - blocksBehind;
  const answer = await ask(path);
  const { block_id: blockId } = JSON.parse(answer.text.toString('utf8')) as { block_id?: string };
  if (answer.status !== 200 || blockId === undefined || blockId === '') return answer;
  return (await heightOf(ask, `/v1/blocks/${blockId}`)) > head ? unknownResult(txId) : answer;
}

/** A range is silently cut at the node's head, and refused where all of it lies above (flow-go, GetEventsForHeightRange). */
async function laggingEvents(ask: Ask, path: string, blocksBehind: number): Promise<NodeAnswer> {
  const url = new URL(path, 'http://node');
  const head = (await heightOf(ask, '/v1/blocks?height=sealed')) - blocksBehind;
  const start = Number(url.searchParams.get('start_height'));
  const end = Number(url.searchParams.get('end_height'));
  if (start > head) return errorAnswer(400, `Out of range: start height ${start} is greater than the last sealed block height ${head}`);
  url.searchParams.set('end_height', `${Math.min(end, head)}`);
  return ask(url.pathname + url.search);
}

async function heightOf(ask: Ask, path: string): Promise<number> {
  const answer = await ask(path);
  const [block] = JSON.parse(answer.text.toString('utf8')) as { header: { height: string } }[];
  return Number(block?.header.height);
}
