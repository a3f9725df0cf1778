/** The key a tab works under: signs claims, vouches, votes. The seed stays with whoever made this. */
export interface MinerKey {
  readonly publicKey: Uint8Array
  sign (message: Uint8Array): Uint8Array
}
