/** ports/Keystore on the profile's wallet and the encrypted text form of its seed. */
import { publicKey } from '../core/crypto/keys.ts'
import type { Random } from '../ports/clock.ts'
import type { Keystore } from '../ports/keystore.ts'
import type { Siblings } from '../ports/siblings.ts'
import { inspectBackup, openKey, sealKey } from './keyBackup.ts'
import type { Wallet } from './wallet.ts'

/** `siblings`: of this key. They are told of what changes here, and what they tell holds here, too. */
export function createKeystore (wallet: Wallet, random: Random, siblings: Pick<Siblings, 'tell' | 'onNews'>): Keystore {
  let backedUp = wallet.backedUp
  siblings.onNews(news => { if (news.kind === 'backed-up') backedUp = true })
  return {
    get backedUp () { return backedUp },
    async export (passphrase) {
      const sealed = await sealKey(wallet.seed, passphrase, random)
      return sealed.ok ? { ok: true, text: sealed.text } : { ok: false, message: sealed.message }
    },
    async saved () {
      await wallet.setBackedUp()
      backedUp = true
      siblings.tell({ kind: 'backed-up' })
    },
    async replaced () { return await wallet.replaced() },
    inspect: inspectBackup,
    async import (backup, passphrase) {
      const opened = await openKey(backup, passphrase)
      if (!opened.ok) return { ok: false, field: opened.reason === 'wrong-passphrase' ? 'passphrase' : 'backup', message: opened.message }
      await wallet.replace(opened.seed)
      siblings.tell({ kind: 'replaced' })
      return { ok: true, key: publicKey(opened.seed) }
    }
  }
}
