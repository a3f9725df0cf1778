/** Every target of the fuzzer. */
import type { Target } from './target.ts'
import { wireTargets } from './targets/wire.ts'

export const TARGETS: readonly Target[] = [...wireTargets]
