/** One side of a comparison: measures itself once, and gives its samples. */
export type Measure = (round: number) => Promise<readonly number[]>;

/**
 * Measures every contender once in each round, the first one another each time: what the machine does meanwhile meets all alike.
 * Gives each contender's rounds, in order.
 */
export async function alternate<Name extends string>(rounds: number, contenders: Readonly<Record<Name, Measure>>, onTurn: (name: Name, round: number) => void = () => undefined): Promise<Record<Name, (readonly number[])[]>> {
  const names = Object.keys(contenders) as Name[];
  const measured = Object.fromEntries(names.map((name) => [name, [] as (readonly number[])[]])) as Record<Name, (readonly number[])[]>;
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length] as Name;
      onTurn(name, round);
      measured[name].push(await contenders[name](round));
    }
  }
  return measured;
}
