/** What a failed test leaves behind. Apart from the harness, which programs use that are no tests. */
import { afterEach } from 'vitest'
import type { Stage } from './harness.ts'

/** After a failed test: what every page showed and logged, in build/. */
export function recordFailures (stage: () => Stage | undefined): void {
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await stage()?.screenshots(task.name)
  })
}
