/** A small picture of a key, so that one miner is told from another at a glance. */
import { createMemo, For, type JSX } from 'solid-js'

export function Identicon (props: { id: string, size?: number }): JSX.Element {
  const look = createMemo(() => {
    const nibbles = [...props.id.replace(/[^0-9a-f]/g, '').padEnd(24, '7').slice(0, 24)].map(c => parseInt(c, 16))
    const hue = Math.round(((nibbles[0]! << 8 | nibbles[1]! << 4 | nibbles[2]!) / 4096) * 360)
    const cells: Array<{ x: number, y: number }> = []
    for (let y = 0; y < 5; y++) for (let x = 0; x < 3; x++) {
      if (nibbles[3 + y * 3 + x]! % 2 === 0) continue
      cells.push({ x, y })
      if (x < 2) cells.push({ x: 4 - x, y })
    }
    return { hue, cells }
  })
  return (
    <svg class="identicon" width={props.size ?? 22} height={props.size ?? 22} viewBox="0 0 7 7" style={{ '--hue': look().hue }} aria-hidden="true">
      <rect class="identicon-ground" width="7" height="7" rx="1.600" />
      <For each={look().cells}>{c => <rect class="identicon-cell" x={c.x + 1} y={c.y + 1} width="1.020" height="1.020" />}</For>
    </svg>
  )
}
