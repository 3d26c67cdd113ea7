import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

const COOKIE = 'wallet_sync';
/** A login lasts so long. */
const SESSION_S = 12 * 3_600;
/** Wrong tokens from one address within a minute, before it must wait. */
const FAILURES = 10;
const WINDOW_MS = 60_000;
/** Addresses remembered: whoever has more to send from is not slowed down by a longer list. */
const ADDRESSES = 1_000;

export interface TokenCheck {
  /** Whether the headers show the token, or a login with it. Null: wrong, and this address has been so too often. */
  admits(headers: { readonly authorization: string | undefined; readonly cookie: string | undefined }, address: string): boolean | null;
  /** The cookie for who gave the right token; false for a wrong one, null as above. */
  login(given: string, address: string): string | false | null;
}

/** Knows who knows the token. The cookie is a time signed with it: it does not hold the token, and a new token ends it. */
export function createTokenCheck(token: string, now: () => number = Date.now): TokenCheck {
  const failures = createFailures(now);
  const sign = (expires: string): string => createHmac('sha256', token).update(`wallet-sync session ${expires}`).digest('base64url');

  const isSession = (cookie: string): boolean => {
    const value = cookie.split(/;\s*/).find((each) => each.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1) ?? '';
    const [expires = '', signature = ''] = value.split('.');
    return /^\d{1,13}$/.test(expires) && same(signature, sign(expires)) && Number(expires) > now();
  };
  /** Who is right is let in, however often others at his address (a proxy's) were wrong. What keeps guessing vain is the token's length; this keeps its answers cheap. */
  const check = (given: string, address: string): boolean | null => {
    if (same(given, token)) return true;
    if (failures.areTooMany(address)) return null;
    failures.add(address);
    return false;
  };

  return {
    admits({ authorization, cookie }, address) {
      if (cookie !== undefined && isSession(cookie)) return true;
      const given = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
      if (given === undefined) return false;
      return check(given, address);
    },
    login(given, address) {
      const isRight = check(given, address);
      if (isRight !== true) return isRight;
      const expires = `${now() + SESSION_S * 1_000}`;
      return `${COOKIE}=${expires}.${sign(expires)}; Path=/; Max-Age=${SESSION_S}; HttpOnly; SameSite=Strict`;
    },
  };
}

/** In constant time, whatever their lengths are. */
function same(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function createFailures(now: () => number) {
  const byAddress = new Map<string, number[]>();
  const recent = (address: string): number[] => (byAddress.get(address) ?? []).filter((at) => at > now() - WINDOW_MS);
  return {
    areTooMany: (address: string): boolean => recent(address).length >= FAILURES,
    add(address: string): void {
      const times = [...recent(address), now()];
      // The address that failed last stands last: the first is the one to forget.
      byAddress.delete(address);
      byAddress.set(address, times);
      for (const oldest of byAddress.keys()) if (byAddress.size > ADDRESSES) byAddress.delete(oldest);
    },
  };
}
