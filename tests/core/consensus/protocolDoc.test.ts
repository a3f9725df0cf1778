/** docs/protocol.md against the code: what it lists must be what there is. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Receipt, SignedReceipt } from '../../../src/core/codec/library.ts'
import * as W from '../../../src/core/codec/wire.ts'
import { genesisText } from '../../../src/core/consensus/chain.ts'
import { REASON_CODES } from '../../../src/core/consensus/refusal.ts'
import { JOB_STATUSES, MATURING_KINDS } from '../../../src/core/ledger/state.ts'
import { MAIN } from '../../../src/core/params.ts'
import { benchmarkSpec } from '../../../src/core/training/benchmark.ts'

const doc = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')
const flat = doc.replace(/\s+/g, ' ')

describe('docs/protocol.md', () => {
  it('names every reason', () => {
    expect(REASON_CODES.filter(r => !new RegExp(`\\b${r}\\b(?!-)`).test(doc))).toEqual([])
  })

  it('gives the genesis text in its order', () => {
    const names = genesisText(MAIN, benchmarkSpec).trimEnd().split('\n').map(line => line.split('=')[0])
    expect(flat).toContain(names.join(', '))
  })

  it('numbers statuses and kinds as the code does', () => {
    expect(flat).toContain(JOB_STATUSES.map((s, i) => `${i} ${s}`).join(', '))
    expect(flat).toContain(MATURING_KINDS.map((k, i) => `${i} ${k}`).join(', '))
  })

  it('gives the sizes of fixed types', () => {
    for (const [name, type] of [['Template', W.Template], ['Claim', W.Claim], ['SealSignature', W.SealSignature], ['Vouch', W.Vouch], ['SealVote', W.SealVote], ['Challenge', W.Challenge], ['Status', W.Status], ['Receipt', Receipt], ['SignedReceipt', SignedReceipt]] as const) {
      expect(flat).toMatch(new RegExp(`${name}(\\*\\*)? \\(${String(type.fixedSize)}( bytes)?\\)`))
    }
  })
})
