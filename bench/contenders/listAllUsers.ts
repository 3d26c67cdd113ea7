import { createClient } from '@supabase/supabase-js';
import WebSocket from 'ws';
import { AppError } from '../../src/errors.js';

const PER_PAGE = 1_000;

/** The ids of all users, page after page, as a plain service asks the Auth server for them. */
export async function listAllUsers(supabase: { readonly url: string; readonly serviceRoleKey: string }): Promise<string[]> {
  const { auth } = createClient(supabase.url, supabase.serviceRoleKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    // Node 20 has none of its own, and the client refuses to be made without.
    realtime: { transport: WebSocket as never },
  });
  const ids: string[] = [];
  for (let page = 1; ; page += 1) {
    const { data, error } = await auth.admin.listUsers({ page, perPage: PER_PAGE });
    if (error !== null) throw new AppError('network', `the users were not listed: ${error.message}`, { where: 'baseline' });
    ids.push(...data.users.map((user) => user.id));
    if (data.users.length < PER_PAGE) return ids;
  }
}
