/** One signature to check: ed25519 over `message` by `key`, under the ZIP-215 acceptance rule. */
export interface SignatureItem {
  readonly key: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

/**
 * Checks signatures outside the pure rule. An implementation may accept fast (WebCrypto says yes),
 * but may refuse only by the ZIP-215 rule itself.
 */
export interface Signatures {
  verify(items: readonly SignatureItem[]): Promise<boolean[]>
}
