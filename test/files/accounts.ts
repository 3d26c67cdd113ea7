import type { EntrySource, FileAccount } from '../../src/files/mergeEntries.js';

/** User `index`, of ids that sort in the order of their indexes. */
export const userId = (index: number): string => `${index.toString(16).padStart(8, '0')}-566d-4ef0-9c22-186b2a5ed793`;

/** User `index`'s account; with another `generation` another address. */
export const account = (index: number, generation = 0): FileAccount => ({ authId: userId(index), address: `0x${(generation * 2 ** 40 + index).toString(16).padStart(16, '0')}`, isOrphaned: false });

/** What the journal would give, in pages, made as it is read. */
export const sourceOf = (accounts: Iterable<FileAccount>, pageSize = 2_000, mayJoin: EntrySource['mayJoin'] = () => true) => (): EntrySource => ({ pages: pagesOf(accounts, pageSize), mayJoin });

async function* pagesOf(accounts: Iterable<FileAccount>, pageSize: number): AsyncGenerator<FileAccount[]> {
  let page: FileAccount[] = [];
  for (const each of accounts) {
    page.push(each);
    if (page.length < pageSize) continue;
    yield page;
    page = [];
  }
  yield page;
}

/** The first `count` users' accounts, never all in memory. */
export function* accountsUpTo(count: number, generation = 0): Generator<FileAccount> {
  for (let index = 0; index < count; index += 1) yield account(index, generation);
}
