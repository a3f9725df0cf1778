/**
 * Says two things where one may be said: two claims for one slice, the same block under two
 * signatures, and a vote for every seal that is offered for a round.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { toHex } from '../../../src/core/codec/ssz.ts'
import { Block, type Claim, type Proposal, WORK_CLAIM, WORK_PROPOSAL, WORK_VOTE, WorkMessage } from '../../../src/core/codec/wire.ts'
import { hash } from '../../../src/core/crypto/hash.ts'
import { claimId, sealHash } from '../../../src/core/crypto/ids.ts'
import { publicKey } from '../../../src/core/crypto/keys.ts'
import { Deeds, type Squad } from './squad.ts'
import { blockMessage, headerOf, isBlocks, isWork, TappedNetwork, workMessage } from './tap.ts'
import { nativeKeyOf } from '../remember.ts'

/** Another valid signature of the same message: RFC 8032 with a nonce of one's own choice. */
export function signAgain (seed: Uint8Array, message: Uint8Array): Uint8Array {
  const { Point } = ed25519
  const order = Point.Fn.ORDER
  const le = (bytes: Uint8Array): bigint => [...bytes].reverse().reduce((n, b) => n << 8n | BigInt(b), 0n) % order
  const { scalar } = ed25519.utils.getExtendedPublicKey(seed)
  const r = le(sha512(hash('enemy-nonce', seed, message)))
  const R = Point.BASE.multiply(r).toBytes()
  const k = le(sha512(Uint8Array.from([...R, ...publicKey(seed), ...message])))
  let s = (r + k * scalar) % order
  const out = new Uint8Array(64)
  out.set(R)
  for (let i = 32; i < 64; i++, s >>= 8n) out[i] = Number(s & 255n)
  return out
}

export function equivocation (): Squad {
  const deeds = new Deeds()
  return {
    name: 'equivocation',
    deeds,
    recruit: () => {
      const voted = new Set<string>()
      return {
        name: 'equivocation',
        ports: (deps, tab) => {
          const network: TappedNetwork = new TappedNetwork(deps.network, {
            publish: async (topic, bytes, pass) => {
              const work = isWork(topic) ? workMessage(bytes) : undefined
              if (work?.selector === WORK_CLAIM) {
                const claim = work.value as Claim
                // The same slice under a template of a millisecond later: another id, and no work for it.
                const unsigned: Claim = { ...claim, template: { ...claim.template, time: claim.template.time + 1 } }
                deeds.add('slices claimed twice')
                const twin = { ...unsigned, signature: nativeKeyOf(tab.minerSeed).sign(claimId(unsigned)) }
                const both = [bytes, WorkMessage.serialize({ selector: WORK_CLAIM, value: twin })]
                const [first, second] = tab.random.chance(0.5) ? both : both.reverse()
                await pass(first)
                return await pass(second)
              }
              const header = isBlocks(topic) ? headerOf(bytes) : undefined
              if (header !== undefined && bytes[0] === 0) {
                const block = Block.deserialize(bytes.subarray(1))
                deeds.add('blocks signed twice')
                await pass(blockMessage({ ...block, header: { ...header, signature: signAgain(tab.minerSeed, claimId(header)) } }))
              }
              return await pass(bytes)
            },
            heard: async (m, pass) => {
              const work = isWork(m.topic) ? workMessage(m.bytes) : undefined
              if (work?.selector !== WORK_PROPOSAL) return await pass(m)
              const { seal } = work.value as Proposal
              const sealName = sealHash(seal)
              const round = `${toHex(seal.job)}/${seal.round}/${toHex(seal.previous)}`
              deeds.add(voted.has(round) ? 'votes for a second seal' : 'votes unseen')
              voted.add(round)
              const vote = { job: seal.job, sealHash: sealName, member: tab.minerKey, signature: nativeKeyOf(tab.minerSeed).sign(sealName) }
              const verdict = await pass(m)
              await network.inner.publish(m.topic, WorkMessage.serialize({ selector: WORK_VOTE, value: vote }))
              return verdict
            }
          })
          return { ...deps, network }
        }
      }
    }
  }
}
