/** The report in a page: ?models=200&seed=1&ms=2000&floats=1 in the address change what is done. */
import { floatTimes } from '../floats.ts'
import { gpuReport, type Report } from '../report.ts'

export type PageReport = Report & { readonly floats: ReadonlyArray<Awaited<ReturnType<typeof floatTimes>>[number] | { readonly failed: string }>, readonly userAgent: string }

declare global {
  interface Window { gpuReport: Promise<PageReport> }
}

const asked = new URLSearchParams(location.search)
const number = (name: string, otherwise: number): number => Number(asked.get(name) ?? otherwise)
const lines = document.getElementById('lines')!

function say (line: string): void {
  lines.textContent += `${line}\n`
  console.log(line)
}

async function run (): Promise<PageReport> {
  const budgetMs = number('ms', 2000)
  const report = await gpuReport({ gpu: navigator.gpu, models: number('models', 200), seed: number('seed', 1), budgetMs, say })
  const floats = number('floats', 1) === 1 ? await floatTimes(budgetMs, say).catch((error: Error) => [{ failed: error.message }]) : []
  return { ...report, floats, userAgent: navigator.userAgent }
}

window.gpuReport = run()
window.gpuReport.then(
  report => { document.getElementById('json')!.textContent = JSON.stringify(report, undefined, 2) },
  (error: Error) => { say(`failed: ${error.message}`) }
)
