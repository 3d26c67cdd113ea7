import type { SupabaseClient } from '@supabase/supabase-js';

/** Resolves with the signed-in user's Flow address as soon as he has one. */
export async function whenWalletIsReady(supabase: SupabaseClient, userId: string): Promise<string> {
  // A channel that is joined before the user's token is known is nobody's, and stays silent.
  await supabase.realtime.setAuth();
  return new Promise((resolve) => {
    const settle = (row: { flow_address?: string | null } | null): void => {
      if (row?.flow_address == null) return;
      void supabase.removeChannel(channel);
      resolve(row.flow_address);
    };
    // It may have come before the channel was joined: so it is read then, the first time and after each reconnect.
    const read = async (): Promise<void> => settle((await supabase.from('wallet').select('flow_address').eq('auth_id', userId).maybeSingle()).data);
    const channel = supabase
      .channel(`wallet-of-${userId}`)
      .on('postgres_changes', { event: '*', schema: 'public', table: 'wallet', filter: `auth_id=eq.${userId}` }, (change) => settle(change.new))
      .subscribe((status) => {
        if (status === 'SUBSCRIBED') void read();
      });
  });
}
