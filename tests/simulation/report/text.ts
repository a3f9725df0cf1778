/** A report's tables for a terminal. */
import type { Table } from './types.ts'

export function tableText ({ caption, head, notes = [], prose, rows }: Table): string {
  const isProse = (column: number): boolean => prose === true && column === head.length - 1
  const widths = head.map((h, i) => isProse(i) ? h.length : Math.max(h.length, ...rows.map(r => r[i].length)))
  const line = (cells: readonly string[]): string => cells.map((c, i) => i === 0 || isProse(i) ? c.padEnd(widths[i]) : c.padStart(widths[i])).join('  ').trimEnd()
  return [caption, line(head), widths.map(w => '-'.repeat(w)).join('  '), ...rows.map(line), ...notes].join('\n')
}
