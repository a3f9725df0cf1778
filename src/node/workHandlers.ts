/** Which part judges which message of a job's topic. */
import type { Challenges } from './challenges.ts'
import type { Contributions, Taken } from './contributions.ts'
import type { Log } from './parts.ts'
import type { Sealing } from './sealing.ts'
import type { WorkHandlers } from './workTopics.ts'

export function workHandlers (d: { readonly contributions: Contributions, readonly sealing: Sealing, readonly challenges: Challenges, readonly log: Log }): WorkHandlers {
  const { contributions, sealing, challenges } = d
  const verdict = (what: string, t: Taken): Taken['verdict'] => {
    if (t.reason !== undefined) d.log.debug('topics', `${what}: ${t.verdict}, ${t.reason}`)
    return t.verdict
  }
  return {
    claim: async (claim, from) => verdict('contribution', await contributions.take(claim, from)),
    vouch: async (vouch, from) => verdict('vouch', await contributions.vouch(vouch, from)),
    proposal: async (proposal, from) => verdict('proposal', await sealing.takeProposal(proposal, from)),
    vote: async (vote, from) => verdict('vote', await sealing.takeVote(vote, from)),
    seal: async (seal, from) => verdict('seal', await sealing.takeSeal(seal, from)),
    challenge: async (challenge, from) => verdict('challenge', await challenges.take(challenge, from))
  }
}
