import type { ErrorKind } from '../errors.js';
import { lowWaterMark } from '../handlers/checkFunders.js';
import { retryPolicy } from '../handlers/retryPolicy.js';
import { funderToJson, seeFunders } from '../handlers/seeFunders.js';
import { readErrorKinds, type ErrorKindCount } from '../journal/errorKinds.js';
import { readSlots } from '../journal/funders.js';
import { daysLeft, readSpending } from '../journal/spending.js';
import type { HttpDeps } from './deps.js';

/** The funding accounts with balances, slots, and the days that their FLOW lasts. */
export async function reportFunders({ instance, journal }: HttpDeps) {
  const { network, node, settings } = instance;
  const [slots, spending] = [await readSlots(journal), await readSpending(journal)];
  const seen = await seeFunders(network, node, slots);
  const lowWater = lowWaterMark(settings);
  return {
    funders: seen.map((each) => ({
      ...funderToJson(each, lowWater),
      days_left: each.account === null ? null : daysLeft(each.account.balance, spending.filter((week) => week.address === each.funder.address), settings.FLOW_FUNDING_AMOUNT),
    })),
  };
}

/** What went wrong, by kind, with what mends it. */
export async function reportErrors({ journal }: HttpDeps) {
  return { errors: (await readErrorKinds(journal)).map(toErrorJson) };
}

const MENDS: Readonly<Partial<Record<ErrorKindCount['what'], string>>> = {
  user: 'look at `wallet-sync status --corrupted`; when the cause is mended: wallet-sync retry ID',
  wallet: 'nothing to do: it is tried again, alone; `wallet-sync status --failed` says when, and `wallet-sync retry --all-failed` does at once',
};

const toErrorJson = ({ what, kind, count, last_at, message, solution }: ErrorKindCount) => ({
  what,
  kind,
  count,
  last_at,
  message: message?.split('\n')[0]?.slice(0, MESSAGE_LENGTH) ?? null,
  mend: solution ?? MENDS[what] ?? solutionOf(kind),
});

/** Chain errors bring whole stacks. */
const MESSAGE_LENGTH = 500;

/** As the retry policy has it; a kind of another version has none. */
const solutionOf = (kind: string): string | null => (retryPolicy(kind as ErrorKind) as { readonly solution: string } | undefined)?.solution ?? null;
