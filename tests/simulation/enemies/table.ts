/** All enemies by name: what each wants, what stands against it, and by what one sees that it was stopped. */
import { collusion } from './collusion.ts'
import { eclipse } from './eclipse.ts'
import { equivocation } from './equivocation.ts'
import { freeRiding } from './freeRiding.ts'
import { lazy } from './lazy.ts'
import { longRange } from './longRange.ts'
import { nothingAtStake } from './nothingAtStake.ts'
import { selfish } from './selfish.ts'
import { selfPay } from './selfPay.ts'
import { shortcuts } from './shortcuts.ts'
import { KINDS, spam } from './spam.ts'
import { credit } from './credit.ts'
import type { Squad } from './squad.ts'
import { sybil } from './sybil.ts'
import { timestamps } from './timestamps.ts'
import { withholdBlocks } from './withholdBlocks.ts'
import { withholdPayloads } from './withholdPayloads.ts'

export interface EnemyKind {
  readonly wants: string
  readonly stoppedBy: string
  readonly seenBy: string
  /** What it does, as its squad counts it (squad.ts): where one of these never happens, there was no such attack. */
  readonly deeds: readonly string[]
  /** A squad for one world. */
  readonly make: () => Squad
  /** For a world of many tabs, of which many are such: the same in a size that leaves time for the world. */
  readonly small?: () => Squad
}

export const ENEMIES = {
  'selfish': {
    wants: 'more of the blocks than of the work, by showing its own late',
    stoppedBy: 'nothing below the bound of theory: ties go to the lower ticket, so a good line gains nothing, but a low ticket can be kept back at little risk',
    seenBy: 'its share of the main chain beside Eyal and Sirer\'s formula',
    deeds: ['blocks kept back', 'blocks published'],
    make: () => selfish()
  },
  'selfish-ticket': {
    wants: 'the same, keeping back only what is likely to win a tie',
    stoppedBy: 'nothing: it gains a little at any share of the work',
    seenBy: 'its share of the main chain beside the best of these strategies, played without a network',
    deeds: ['blocks kept back', 'blocks shown at once'],
    make: () => selfish({ threshold: 0.5, stubborn: true })
  },
  'withhold-blocks': {
    wants: 'slower blocks and other draws, for the price of its pay',
    stoppedBy: 'the retarget; it loses what it withholds',
    seenBy: 'its blocks on the main chain: none',
    deeds: ['blocks withheld'],
    make: withholdBlocks
  },
  'withhold-payloads': {
    wants: 'to be paid for contributions that nobody can check or use',
    stoppedBy: 'nobody takes in a claim whose payload does not come; members sign what they hold',
    seenBy: 'its sealed contributions: none',
    deeds: ['payloads withheld'],
    make: withholdPayloads
  },
  'eclipse': {
    wants: 'one tab that sees nothing but what it is shown',
    stoppedBy: 'once there is a network: links that brought blocks, and those that a tab has dialled itself, go last when it makes room',
    seenBy: 'the time for which the victim is off the others\' chain, and that it comes back when it is over',
    deeds: ['half seconds with most links', 'empty answers'],
    make: () => eclipse()
  },
  'self-pay': {
    wants: 'credits out of receipts that its own keys sign for one another',
    stoppedBy: 'a receipt takes only what its signer has set aside, and an eighth of that is destroyed',
    seenBy: 'what its keys set aside beside what they got back and were paid',
    deeds: ['set aside', 'redemptions sent'],
    make: selfPay
  },
  'sybil': {
    wants: 'committee seats and contributions beyond its work, by many keys',
    stoppedBy: 'seats cost a block each; a peer may bring eight contributions a round, and keys without a record need two vouchers',
    seenBy: 'its seats, sealed contributions and credits beside its work',
    deeds: ['keys', 'claims', 'blocks'],
    make: sybil
  },
  'spam': {
    wants: 'everybody busy with nothing',
    stoppedBy: 'bounds per peer on bytes, messages, requests and replays; bans',
    seenBy: 'blocks and rounds go on, names are banned, no honest tab is',
    deeds: KINDS,
    make: () => spam(),
    small: () => spam({ perSecond: 1, tabs: 2 })
  },
  'credit': {
    wants: 'every node busy with forged blocks that it passes on before it redoes them',
    stoppedBy: 'one block at a time is passed on so, of keys with a record only; the first that is redone bans the key',
    seenBy: 'wrong results refused, about one a node; no honest tab is banned for having passed one on',
    deeds: ['blocks forged on credit'],
    make: credit
  },
  'equivocation': {
    wants: 'the others split by two truths',
    stoppedBy: 'one claim per slice, ids that do not hang on signatures, fork choice over seals',
    seenBy: 'one history among the honest; the keys are named',
    deeds: ['slices claimed twice', 'blocks signed twice', 'votes unseen'],
    make: equivocation
  },
  'nothing-at-stake': {
    wants: 'blocks on every fork, so that forks last and one of its blocks wins anyhow',
    stoppedBy: 'work on one fork is not work on another',
    seenBy: 'its share of the main chain: not above its work',
    deeds: ['turns on other forks', 'blocks on the best chain', 'blocks on other forks'],
    make: nothingAtStake
  },
  'lazy': {
    wants: 'the pay of a verifier without replaying',
    stoppedBy: 'nothing while all are honest; beside a liar it mines on wrong blocks and loses them',
    seenBy: 'wrong blocks on honest chains: none',
    deeds: ['replays left out'],
    make: lazy
  },
  'collusion': {
    wants: 'wrong contributions sealed and paid',
    stoppedBy: 'two members drawn by the block that seals, and one in ten of everybody, replay after the seal; a challenge takes the block down',
    seenBy: 'wrong contributions older than their maturity on honest chains: none',
    deeds: ['wrong contributions', 'vouches unseen'],
    make: collusion
  },
  'poisoned': {
    wants: 'a model that learned flipped labels',
    stoppedBy: 'replay against the registered data',
    seenBy: 'its blocks and contributions on honest chains: none',
    deeds: ['false slices claimed'],
    make: () => shortcuts('flipped labels')
  },
  'free-riding': {
    wants: 'pay without serving, vouching or passing on',
    stoppedBy: 'nothing: blocks and contributions are paid whoever serves, and receipts pay only for bytes of torrents',
    seenBy: 'its credits beside its work: the same as others',
    deeds: ['duties left undone', 'messages not passed on', 'requests left unanswered'],
    make: freeRiding
  },
  'times-behind': {
    wants: 'a harder target for all, by dating its blocks as old as allowed',
    stoppedBy: 'bounds on one interval; it is slowed like everybody',
    seenBy: 'the time between blocks, and its share of them',
    deeds: ['blocks dated behind'],
    make: () => timestamps('behind')
  },
  'times-ahead': {
    wants: 'others to hold its blocks back until their clocks reach them',
    stoppedBy: 'held blocks are tried again when they are due; ties do not hang on arrival',
    seenBy: 'one history among the honest, its share of blocks not above its work',
    deeds: ['blocks dated ahead'],
    make: () => timestamps('ahead')
  },
  'times-beyond': {
    wants: 'a chain of blocks from the future, on which nobody else can build',
    stoppedBy: 'a block waits until its time has come, wherever it is',
    seenBy: 'blocks on honest chains that are dated ahead of their clocks: none',
    deeds: ['blocks dated beyond'],
    make: () => timestamps('beyond')
  },
  'long-range': {
    wants: 'joiners, or everybody, on a chain that was never worked',
    stoppedBy: 'the newest blocks are redone before they are believed; time runs out for promises',
    seenBy: 'forged blocks on honest chains: none',
    deeds: ['blocks forged', 'forged headers shown'],
    make: () => longRange()
  },
  'shortcut-steps': shortcut('half of the steps', 'fewer steps'),
  'shortcut-noise': shortcut('the noise of one key for all slices', 'no noise'),
  'shortcut-cache': shortcut('one slice for many', 'cached slice'),
  'shortcut-none': shortcut('no training at all', 'no training')
} as const satisfies Record<string, EnemyKind>

export type EnemyName = keyof typeof ENEMIES

function shortcut (what: string, kind: Parameters<typeof shortcuts>[0]): EnemyKind {
  return {
    wants: `tickets and contributions for ${what}`,
    stoppedBy: 'replay: every block by everybody, every contribution by those drawn',
    seenBy: 'its blocks and contributions on honest chains: none',
    deeds: ['false slices claimed'],
    make: () => shortcuts(kind)
  }
}
