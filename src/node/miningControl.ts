/** The user's wishes about mining: kept across reloads, turned into limits and pauses. */
import type { MiningSettings, MiningView } from '../bridge/api.ts'
import { BACKENDS, type Compute } from '../ports/compute.ts'
import { StorageError, type Storage } from '../ports/storage.ts'
import type { Log } from './parts.ts'
import type { Trainer } from './trainer.ts'

const KEY = 'mining'
export const DUTY_MIN = 0.1

export interface MiningControlDeps {
  readonly trainer: Pick<Trainer, 'configure' | 'view'>
  readonly compute: Pick<Compute, 'setLimits' | 'setBackend' | 'status'>
  readonly storage: Pick<Storage, 'get' | 'commit'>
  readonly log: Log
  readonly cores: number
}

export class MiningControl {
  readonly #d: MiningControlDeps
  #settings: MiningSettings
  #workersMax = 1
  #hidden = false
  #onBattery = false

  constructor (d: MiningControlDeps) {
    this.#d = d
    // Half of the cores: enough to count, and the machine stays pleasant.
    this.#settings = { on: false, workers: Math.max(1, Math.floor(d.cores / 2)), duty: 1, pauseWhenHidden: false, pauseOnBattery: true, backend: 'auto' }
  }

  async start (): Promise<void> {
    this.#workersMax = (await this.#d.compute.status()).workersMax
    const bytes = await this.#d.storage.get('meta', KEY)
    if (bytes !== undefined) this.#settings = this.#bounded(parse(bytes))
    await this.#apply()
  }

  async set (wished: Partial<MiningSettings>): Promise<void> {
    this.#settings = this.#bounded(wished)
    await this.#apply()
    try {
      await this.#d.storage.commit([{ op: 'put', store: 'meta', key: KEY, value: new TextEncoder().encode(JSON.stringify(this.#settings)) }])
    } catch (e) {
      if (!(e instanceof StorageError)) throw e
      this.#d.log.warn('mining', `settings not stored (${e.kind}): ${e.message}`)
    }
  }

  environment (e: { readonly hidden: boolean, readonly onBattery: boolean }): void {
    this.#hidden = e.hidden
    this.#onBattery = e.onBattery
    this.#configure()
  }

  view (): MiningView { return { settings: this.#settings, ...this.#d.trainer.view() } }

  #bounded (wished: Partial<MiningSettings>): MiningSettings {
    const s = { ...this.#settings, ...wished }
    const number = (n: unknown, fallback: number): number => typeof n === 'number' && Number.isFinite(n) ? n : fallback
    return {
      on: s.on === true,
      workers: Math.min(Math.max(1, Math.round(number(s.workers, 1))), this.#workersMax),
      duty: Math.min(1, Math.max(DUTY_MIN, number(s.duty, 1))),
      pauseWhenHidden: s.pauseWhenHidden === true,
      pauseOnBattery: s.pauseOnBattery === true,
      backend: BACKENDS.find(one => one === s.backend) ?? 'auto'
    }
  }

  async #apply (): Promise<void> {
    this.#settings = this.#bounded({})
    await this.#d.compute.setBackend(this.#settings.backend)
    await this.#d.compute.setLimits(this.#settings.workers, this.#settings.duty)
    this.#configure()
  }

  #configure (): void {
    const { on, workers, pauseWhenHidden, pauseOnBattery } = this.#settings
    const pause = this.#hidden && pauseWhenHidden ? 'paused-hidden' : this.#onBattery && pauseOnBattery ? 'paused-battery' : undefined
    this.#d.trainer.configure({ on, workers, pause })
  }
}

/** What an older or damaged store says is a wish like any other: `bounded` makes it legal. */
function parse (bytes: Uint8Array): Partial<MiningSettings> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
