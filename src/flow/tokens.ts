/** A fungible token that wallets get a vault of. The paths are the contract's own; cadence/ spells them out. */
export interface Token {
  /** The contract's name: in flow.json, in imports, and in types (`A.<address>.<contract>.Vault`). */
  readonly contract: string;
  readonly vaultPath: string;
  readonly receiverPath: string;
  readonly balancePath: string;
}

/** The tokens this program knows. The first is the default. */
export const TOKENS: readonly [Token, ...Token[]] = [
  { contract: 'BaitCoin', vaultPath: '/storage/baitCoinVault', receiverPath: '/public/baitCoinReceiver', balancePath: '/public/baitCoinVault' },
];

export const DEFAULT_TOKEN: Token = TOKENS[0];
