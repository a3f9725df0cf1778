/** The wallet's key at rest: backed up and replaced behind a passphrase, never shown. */
export interface Keystore {
  readonly backedUp: boolean
  /** Encrypted backup as text; marks the key as backed up. */
  export(passphrase: string): Promise<{ readonly ok: true, readonly text: string } | { readonly ok: false, readonly message: string }>
  /** Replaces the key; it takes effect at the next start. */
  import(backup: string, passphrase: string): Promise<{ readonly ok: true, readonly key: Uint8Array } | { readonly ok: false, readonly field: 'backup' | 'passphrase', readonly message: string }>
}
