/** The wallet's key at rest: backed up and replaced behind a passphrase, never shown. */
export interface Keystore {
  /** By this tab or another one. */
  readonly backedUp: boolean
  /** Encrypted backup as text. A text that nobody has kept is no backup: see `saved`. */
  export(passphrase: string): Promise<{ readonly ok: true, readonly text: string } | { readonly ok: false, readonly message: string }>
  /** The text of an export has left this page: from here on the key counts as backed up. */
  saved(): Promise<void>
  /** Another key is in its place now, put there by this tab or another one. Throws StorageError. */
  replaced(): Promise<boolean>
  /** Whose backup this text says that it is; what is none is refused. Whether its passphrase is known shows with `import`. */
  inspect(backup: string): { readonly ok: true, readonly address: string } | { readonly ok: false, readonly message: string }
  /** Replaces the key, which the next start has; `export` gives that of this one still. */
  import(backup: string, passphrase: string): Promise<{ readonly ok: true, readonly key: Uint8Array } | { readonly ok: false, readonly field: 'backup' | 'passphrase', readonly message: string }>
}
