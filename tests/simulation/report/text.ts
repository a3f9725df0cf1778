/** A report's tables for a terminal. */
import type { Table } from './types.ts'

export function tableText ({ caption, head, notes = [], rows }: Table): string {
  const widths = head.map((h, i) => Math.max(h.length, ...rows.map(r => r[i].length)))
  const line = (cells: readonly string[]): string => cells.map((c, i) => i === 0 ? c.padEnd(widths[i]) : c.padStart(widths[i])).join('  ').trimEnd()
  return [caption, line(head), widths.map(w => '-'.repeat(w)).join('  '), ...rows.map(line), ...notes].join('\n')
}
