/** JSON that is nested deeper is none that we know: a Cadence value of ours has 20 levels. What reads it recursively ends its stack at some 5,000. */
export const MAX_DEPTH = 200;

/** Whether a JSON value is nested deeper than that. Looks without recursion, so that no value ends the stack here. */
export function isTooDeep(value: unknown, most = MAX_DEPTH): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    const next: unknown[] = [];
    for (const each of level) {
      if (typeof each !== 'object' || each === null) continue;
      if (depth >= most) return true;
      for (const inner of Object.values(each)) if (typeof inner === 'object' && inner !== null) next.push(inner);
    }
    level = next;
  }
  return false;
}
