/** Light, dark or as the system says; the choice is remembered, reaches the tabs that are open, and works without storage too. */
import { createEffect, createSignal, onCleanup, type Accessor } from 'solid-js'
import { recall, remember, whenRemembered } from './memory.ts'

export const THEMES = ['system', 'light', 'dark'] as const
export type ThemeChoice = typeof THEMES[number]

export interface Theme {
  readonly choice: Accessor<ThemeChoice>
  /** What is shown now. */
  readonly shown: Accessor<'light' | 'dark'>
  /** What the button goes on to: from the system's theme first the other one, so that something is seen to happen. */
  readonly next: Accessor<ThemeChoice>
  choose (t: ThemeChoice): void
}

export function createTheme (): Theme {
  const saved = (): ThemeChoice => THEMES.find(t => t === recall('local', 'theme')) ?? 'system'
  const [choice, setChoice] = createSignal<ThemeChoice>(saved())
  onCleanup(whenRemembered('theme', () => { setChoice(saved()) }))
  const query = window.matchMedia('(prefers-color-scheme: dark)')
  const [systemDark, setSystemDark] = createSignal(query.matches)
  query.addEventListener('change', e => { setSystemDark(e.matches) })
  const shown = (): 'light' | 'dark' => {
    const c = choice()
    return c === 'system' ? (systemDark() ? 'dark' : 'light') : c
  }
  const next = (): ThemeChoice => {
    const round = systemDark() ? THEMES : [THEMES[0], THEMES[2], THEMES[1]]
    return round[(round.indexOf(choice()) + 1) % round.length]!
  }
  createEffect(() => { document.documentElement.dataset['theme'] = choice() })
  return { choice, shown, next, choose: t => { setChoice(t); remember('local', 'theme', t) } }
}
