/** How far the escrow reaches: rounds, the contributions that they take, and what is paid for. */
import { Show, type JSX } from 'solid-js'
import type { JobCheck } from '../../bridge/api.ts'
import { count, inCredits, plural } from '../format.ts'
import { Note } from '../parts/basics.tsx'

const needed = (c: JobCheck): number => c.rounds * c.perRound
const isShort = (c: JobCheck): boolean => c.contributionsPaid < needed(c)
/** The last round takes what is left, also where that is less than it could. */
const roundsPaid = (c: JobCheck, perRound: number): number => Math.min(c.rounds, Math.ceil(c.contributionsPaid / perRound))
const today = (c: JobCheck): string => `with the ${plural(c.miners, 'miner')} of today`

/** Beside the number of rounds. */
export const takesWords = (c: JobCheck): string => `about ${plural(needed(c), 'contribution')} ${today(c)}`

export function coverWords (c: JobCheck): string {
  const takes = `${plural(c.rounds, 'round')} ${c.rounds === 1 ? 'takes' : 'take'} about ${plural(needed(c), 'contribution')} ${today(c)}: ${count(c.perRound)} a round`
  if (c.perRound === c.perRoundMost) return `${takes}, and never more.`
  const crowd = roundsPaid(c, c.perRoundMost)
  // More miners make every round richer and the escrow shorter: nobody should find that out by an early end.
  const early = !isShort(c) && crowd < c.rounds ? `; with so many, this pays for about ${plural(crowd, 'round')}` : ''
  return `${takes}. More miners bring more, up to ${count(c.perRoundMost)} a round${early}.`
}

/** A warning where training would end before its last round. */
export function Cover (props: { check: JobCheck | undefined }): JSX.Element {
  return (
    <Show when={props.check !== undefined && isShort(props.check) && props.check}>{check => (
      <Note tone="warn" title="The escrow does not pay for the whole training" testid="wizard-short">
        {plural(check().rounds, 'round')} {check().rounds === 1 ? 'takes' : 'take'} about {plural(needed(check()), 'contribution')} {today(check())}; this pays for {count(check().contributionsPaid)}: training ends after about {plural(roundsPaid(check(), check().perRound), 'round')}. An escrow of {inCredits(check().escrowForAll)} pays for all at this price.
      </Note>
    )}</Show>
  )
}
