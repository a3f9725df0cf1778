/**
 * Bugs to plant: each is one change that a tired programmer could make, in one place of the product.
 * The simulator must find each of them within `seeds` worlds; one that survives shows that the
 * checkers look past something. A bug that one hunt in three missed has six times the worlds: so one in a thousand does.
 */

export const PLANTS = [
  {
    name: 'rho-forgets', what: 'chain randomness depends on the newest ticket alone: whoever holds it chooses every draw',
    file: 'src/core/consensus/chain.ts', find: "hash('rho', rho, ticket)", replace: "hash('rho', ticket)", checkers: ['audit: header-randomness'], seeds: 2
  },
  {
    name: 'retarget-window', what: 'the target follows the last interval a little too fast',
    file: 'src/core/consensus/target.ts', find: 'const span = BigInt(window * interval)', replace: 'const span = BigInt((window - 1) * interval)', checkers: ['audit: header-target'], seeds: 2
  },
  {
    name: 'quorum-two-thirds', what: 'two thirds of a committee seal, not more than two thirds',
    file: 'src/core/consensus/committee.ts', find: 'Math.floor(2 * members / 3) + 1', replace: 'Math.ceil(2 * members / 3)', checkers: ['audit: seal-quorum'], seeds: 4
  },
  {
    name: 'pay-ripens-early', what: 'pay for contributions can be spent before a challenge of them has to be heard',
    file: 'src/core/ledger/apply.ts', find: 'const maturesAt = ledger.height + params.maturity\n  const after', replace: 'const maturesAt = ledger.height + 1\n  const after', checkers: ['audit: state-root'], seeds: 6
  },
  {
    name: 'refund-to-worker', what: 'what is left of a job that cannot pay another contribution goes to a worker, not to its owner',
    file: 'src/core/ledger/apply.ts', find: 'next = credit(next, job.owner, after.refund)', replace: 'next = credit(next, seal.payees[0] ?? job.owner, after.refund)', checkers: ['audit: state-root'], seeds: 10
  },
  {
    name: 'cancelled-at-once', what: 'a cancelled job ends in the same block: work under way is not paid',
    file: 'src/core/ledger/apply.ts', find: 'cancelsAt: ledger.height + params.cancelDelay', replace: 'cancelsAt: ledger.height + 1', checkers: ['audit: state-root'], seeds: 15,
    options: ['--hours', '0.5']
  },
  {
    name: 'mean-rounds-down', what: 'the mean of the contributions is rounded down, not to the nearest',
    file: 'src/core/training/payload.ts', find: 'Math.floor((2 * sum + n) / (2 * n))', replace: 'Math.floor(sum / n)', checkers: ['audit: seal-state-hash'], seeds: 4,
    options: ['--set', 'compute=real']
  },
  {
    name: 'replay-unread', what: 'a slice is redone, and nobody compares the result',
    file: 'src/core/consensus/apply.ts', find: "if (facts.replay.kind === 'done') {", replace: "if (facts.replay.kind === 'done' && facts.replay.resultHash.length === 0) {", checkers: ['wrong work accepted', 'audit: result-hash'], seeds: 3,
    options: ['--attackers', '0.3', '--enemies', 'poisoned']
  },
  {
    name: 'condemned-stays', what: 'a contribution is found wrong, and the block that carries it stays',
    file: 'src/node/chain.ts', find: "this.#remove(n, invalid('contribution-wrong', why))", replace: 'this.#log.info(\'chain\', n.key)', checkers: ['wrong contribution kept', 'wrong contributions kept', 'audit: contribution-wrong'], seeds: 8,
    options: ['--nodes', '40', '--attackers', '0.3', '--enemies', 'collusion']
  },
  {
    name: 'clock-unread', what: 'a block may be dated as far ahead as its miner likes',
    file: 'src/core/consensus/header.ts', find: 'claim.template.time > nowMs + params.futureMs', replace: 'claim.template.time > nowMs + 3_600_000', checkers: ['block of the future'], seeds: 24,
    options: ['--attackers', '0.3', '--enemies', 'times-beyond']
  },
  {
    name: 'reorganisation-unsaved', what: 'blocks that come in a reorganisation are not stored: a reloaded tab is back where it was before',
    file: 'src/node/chain.ts', find: 'this.#store.put(n)\n    if (change', replace: 'if ((change?.removed.length ?? 0) === 0) this.#store.put(n)\n    if (change', checkers: ['committed block lost', 'height lost'], seeds: 12
  },
  {
    name: 'slices-forgotten', what: 'a reloaded tab uses slice indices again that it has used before',
    file: 'src/node/sliceCounter.ts', find: 'if (bytes === undefined) return', replace: 'if (bytes !== undefined) return', checkers: ['slice claimed twice'], seeds: 3
  },
  {
    name: 'signs-all', what: 'a member signs every seal that it is offered for a round',
    file: 'src/node/sealing.ts', find: 'return last === undefined || last.name === offer.name ||', replace: 'return last === undefined || last.name !== \'\' ||', checkers: ['two seals signed'], seeds: 6,
    options: ['--attackers', '0.3', '--enemies', 'equivocation', '--set', 'jumpEveryMs=0']
  },
  {
    name: 'sent-twice', what: 'a wallet signs a transfer twice',
    file: 'src/node/walletDesk.ts', find: 'return await this.submit({ selector: ACTION_TRANSFER, value: { to: address.value, amount } }, fee)', replace: 'const action = { selector: ACTION_TRANSFER, value: { to: address.value, amount } } as const\n    await this.submit(action, fee)\n    return await this.submit(action, fee)', checkers: ['payment that nobody asked for'], seeds: 4,
    options: ['--set', 'sendEveryMs=60000']
  },
  {
    name: 'ordered-twice', what: 'a wallet orders a model twice',
    file: 'src/node/walletDesk.ts', find: 'return await this.#submit(async nonce => await this.#make({ selector: ACTION_POST_JOB, value }, fee, nonce))', replace: 'await this.#submit(async nonce => await this.#make({ selector: ACTION_POST_JOB, value }, fee, nonce))\n    return await this.#submit(async nonce => await this.#make({ selector: ACTION_POST_JOB, value }, fee, nonce))', checkers: ['payment that nobody asked for'], seeds: 4,
    options: ['--set', 'jobEveryMs=60000']
  },
  {
    name: 'nonce-again', what: 'a wallet that sends again before a block has the first gives both one nonce',
    file: 'src/node/spending.ts', find: 'while (used.has(nonce)) nonce++', replace: 'used.clear()', checkers: ['transaction lost'], seeds: 4,
    options: ['--set', 'sendEveryMs=10000']
  },
  {
    name: 'signer-banned', what: 'who signed a seal is taken for a cheater where a contribution in it is found wrong',
    file: 'src/node/challenges.ts', find: 'miner: signer, fatal: false', replace: 'miner: signer, fatal: true', checkers: ['honest banned'], seeds: 12,
    options: ['--nodes', '24', '--attackers', '0.35', '--enemies', 'collusion']
  },
  {
    name: 'sync-stuck', what: 'a tab whose catching up was given up once never tries again',
    file: 'src/node/sync.ts', find: '        this.#following = false\n        this.#report(undefined)', replace: '        this.#following = this.#peers.size > 0 && [...this.#peers.values()].some((p) => p.failures > 0)\n        this.#report(undefined)', checkers: ['agreement'], seeds: 50
  }
]

export function plantNamed (name) {
  const plant = PLANTS.find(p => p.name === name)
  if (plant === undefined) throw new Error(`there is no planted bug ${name}: ${PLANTS.map(p => p.name).join(', ')}`)
  return plant
}
