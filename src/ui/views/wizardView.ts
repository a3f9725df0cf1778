/** The job wizard, loaded apart from the list of jobs: most who look at jobs do not post one. */
import { lazyView } from '../lazyView.ts'

export const Wizard = lazyView(async () => (await import('./Wizard.tsx')).Wizard)
