/** Every target of the fuzzer. */
import type { Target } from './target.ts'
import { differentialTargets } from './targets/differential.ts'
import { fileTargets } from './targets/files.ts'
import { libraryTargets } from './targets/library.ts'
import { netTargets } from './targets/net.ts'
import { ruleTargets } from './targets/rules.ts'
import { storedTargets } from './targets/stored.ts'
import { textTargets } from './targets/texts.ts'
import { trainingTargets } from './targets/training.ts'
import { wireTargets } from './targets/wire.ts'

export const TARGETS: readonly Target[] = [...wireTargets, ...netTargets, ...trainingTargets, ...fileTargets, ...libraryTargets, ...textTargets, ...storedTargets, ...ruleTargets, ...differentialTargets]
