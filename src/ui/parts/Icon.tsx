/** Line icons on a 24-pixel grid, drawn here so that nothing is fetched. */
import type { JSX } from 'solid-js'

const PATHS = {
  train: 'M4 17l5-6 4 3 7-9M15 5h5v5M4 21h16',
  network: 'M12 8a3 3 0 100-6 3 3 0 000 6zM5 21a3 3 0 100-6 3 3 0 000 6zM19 21a3 3 0 100-6 3 3 0 000 6zM10.600 7.600L6.400 15.400M13.400 7.600l4.200 7.800M8 18h8',
  blocks: 'M12 2l8 4.500v9L12 20l-8-4.500v-9zM4 6.500l8 4.500 8-4.500M12 11v9',
  wallet: 'M3 7a2 2 0 012-2h13v4M3 7v10a2 2 0 002 2h15a1 1 0 001-1v-8a1 1 0 00-1-1H5a2 2 0 01-2-2zM17 14h.01',
  jobs: 'M4 7h16v12H4zM9 7V4h6v3M4 12h16',
  library: 'M4 4h4v16H4zM8 4h4v16H8zM14 5.500l3.900-1L21.500 18.500l-3.900 1z',
  try: 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3',
  logs: 'M5 4h14v16H5zM8 8h8M8 12h8M8 16h5',
  settings: 'M12 15a3 3 0 100-6 3 3 0 000 6zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M5 19l2-2M17 7l2-2',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  play: 'M7 4l13 8-13 8z',
  pause: 'M8 5v14M16 5v14',
  copy: 'M9 9h11v11H9zM15 9V4H4v11h5',
  check: 'M4 12l5 6L20 6',
  cross: 'M5 5l14 14M19 5L5 19',
  warn: 'M12 3l10 18H2zM12 10v5M12 18h.01',
  info: 'M12 21a9 9 0 100-18 9 9 0 000 18zM12 11v6M12 7.500h.01',
  share: 'M12 15V3M8 7l4-4 4 4M5 12v8h14v-8',
  download: 'M12 3v12M8 11l4 4 4-4M4 20h16',
  upload: 'M12 16V4M8 8l4-4 4 4M4 20h16',
  sun: 'M12 16a4 4 0 100-8 4 4 0 000 8zM12 2v2M12 20v2M4 12H2M22 12h-2M5 5l1.500 1.500M17.500 17.500L19 19M5 19l1.500-1.500M17.500 6.500L19 5',
  moon: 'M20 14.500A8 8 0 019.500 4a8 8 0 1010.500 10.500z',
  auto: 'M12 21a9 9 0 100-18 9 9 0 000 18zM12 3v18M12 7h5M12 11h7M12 15h6.500',
  back: 'M15 5l-7 7 7 7',
  next: 'M9 5l7 7-7 7',
  up: 'M12 20V5M6 11l6-6 6 6',
  down: 'M12 4v15M6 13l6 6 6-6',
  replay: 'M4 12a8 8 0 112.500 5.800M4 20v-5h5',
  shuffle: 'M3 7h4l10 10h4M3 17h4l3-3M14 10l3-3h4M18 4l3 3-3 3M18 14l3 3-3 3',
  key: 'M8 18a4 4 0 100-8 4 4 0 000 8zM11 11l9-8M16 7l3 3',
  send: 'M4 12h14M12 6l6 6-6 6',
  plus: 'M12 5v14M5 12h14',
  magnet: 'M5 4v8a7 7 0 0014 0V4h-4.500v8a2.500 2.500 0 01-5 0V4zM5 8h4.500M14.500 8H19',
  trash: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  server: 'M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01'
} as const

export type IconName = keyof typeof PATHS

export function Icon (props: { name: IconName, size?: number }): JSX.Element {
  const heavy = (): number => props.name === 'more' ? 3 : 1.75
  return (
    <svg class="icon" width={props.size ?? 18} height={props.size ?? 18} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width={heavy()} stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={PATHS[props.name]} />
    </svg>
  )
}

/** The mark: a beam in balance, its two weights held by one another. */
export function Mark (props: { size?: number }): JSX.Element {
  return (
    <svg class="mark" width={props.size ?? 28} height={props.size ?? 28} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--accent)" />
      <path d="M16 7v18M11 25h10M6 11h20M6 11l-2.500 6a3 3 0 005 0zM26 11l-2.500 6a3 3 0 005 0z" fill="none" stroke="var(--on-accent)" stroke-width="2" stroke-linejoin="round" stroke-linecap="round" />
    </svg>
  )
}
