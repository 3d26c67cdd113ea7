/** Remembers which of a million addresses were looked at, in 9 bytes each. */
export interface SeenAddresses {
  /** An address that is none of them changes nothing. */
  add(address: bigint): void;
  has(address: bigint): boolean;
}

export function createSeenAddresses(addresses: BigUint64Array): SeenAddresses {
  const sorted = addresses.slice().sort();
  const seen = new Uint8Array(sorted.length);
  return {
    add(address) {
      const place = find(sorted, address);
      if (place >= 0) seen[place] = 1;
    },
    has: (address) => seen[find(sorted, address)] === 1,
  };
}

/** Its place among ascending values; -1 where it is none of them. */
function find(sorted: BigUint64Array, value: bigint): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = sorted[middle] ?? 0n;
    if (found === value) return middle;
    if (found < value) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
