/**
 * Pictures of every view on the scripted node, on desktop and phone widths, light and dark, into
 * screenshots/. `npx tsx scripts/screenshots.ts [view...]`. Looked at by people; also fails when a
 * page is wider than its window, cuts off a choice or logs an error.
 */
import { mkdirSync } from 'node:fs'
import { chromium, type Page } from '@playwright/test'
import { createServer } from 'vite'
import { ensureChromium } from './ensure-chromium.mjs'

const OUT = 'screenshots'
const SIZES = [{ name: 'desktop', width: 1280, height: 800 }, { name: 'phone', width: 360, height: 780 }] as const
const THEMES = ['light', 'dark'] as const

interface Shot { readonly name: string, readonly scene?: string, readonly route: string, readonly act?: (page: Page) => Promise<void> }

const toStep = (n: number) => async (page: Page): Promise<void> => {
  await page.getByTestId('wizard-source-builtin').check({ force: true })
  for (let i = 1; i < n; i++) await page.getByTestId('wizard-next').click()
  await page.waitForTimeout(500)
}

const readCsv = async (page: Page): Promise<void> => {
  await page.getByTestId('wizard-files').setInputFiles({ name: 'letters.csv', mimeType: 'text/csv', buffer: Buffer.from('1,2,3\n') })
  await page.getByTestId('wizard-preview').waitFor()
}

const toDense = async (page: Page): Promise<void> => {
  await toStep(2)(page)
  await page.getByTestId('wizard-kind-mlp').check({ force: true })
  await page.waitForTimeout(500)
}

/** A residual model of colour pictures, two of its layers wrong. */
const toWrongLayers = async (page: Page): Promise<void> => {
  await readCsv(page)
  await page.getByTestId('wizard-next').click()
  await page.getByTestId('wizard-preset-medium').click()
  await page.getByTestId('wizard-layer-3-filters').fill('')
  await page.getByTestId('wizard-layer-5-kernel_size').fill('70')
  await page.getByTestId('wizard-layer-5-error').waitFor()
}

const draw = async (page: Page): Promise<void> => {
  const box = await page.getByTestId('try-canvas').boundingBox()
  if (box === null) throw new Error('no canvas')
  await page.mouse.move(box.x + box.width * 0.35, box.y + box.height * 0.25)
  await page.mouse.down()
  for (const [x, y] of [[0.65, 0.25], [0.5, 0.5], [0.65, 0.7], [0.35, 0.75]] as const) await page.mouse.move(box.x + box.width * x, box.y + box.height * y, { steps: 6 })
  await page.mouse.up()
  await page.getByTestId('try-label').waitFor()
}

const SHOTS: readonly Shot[] = [
  { name: 'train', route: 'train' },
  { name: 'train-first-run', scene: 'fresh', route: 'train' },
  { name: 'train-alone', scene: 'alone', route: 'train' },
  { name: 'train-syncing', scene: 'syncing', route: 'train' },
  { name: 'train-storage-full', scene: 'storage-full', route: 'train' },
  { name: 'network', route: 'network' },
  { name: 'network-crowd', scene: 'crowd', route: 'network' },
  { name: 'blocks', route: 'blocks' },
  { name: 'block', route: 'blocks', act: async page => { await page.getByTestId('block-row').nth(2).getByRole('link').click(); await page.getByTestId('replay-button').click(); await page.getByTestId('replay-result').waitFor() } },
  { name: 'wallet', route: 'wallet' },
  { name: 'wallet-empty', scene: 'fresh', route: 'wallet' },
  { name: 'wallet-keys', route: 'wallet/keys' },
  { name: 'wallet-confirm', route: 'wallet', act: async page => { await page.getByTestId('send-to').fill('cw1nope'); await page.getByTestId('send-amount').fill('9000'); await page.getByTestId('send-submit').click() } },
  { name: 'jobs', route: 'jobs' },
  { name: 'job', route: 'jobs', act: async page => { await page.getByTestId('job-row').first().click(); await page.getByTestId('job-evaluate').click(); await page.getByTestId('confusion').waitFor() } },
  { name: 'wizard-data', route: 'jobs/new', act: readCsv },
  { name: 'wizard-colour', scene: 'colour', route: 'jobs/new', act: readCsv },
  { name: 'wizard-model', route: 'jobs/new', act: toStep(2) },
  { name: 'wizard-dense', route: 'jobs/new', act: toDense },
  { name: 'wizard-layers', scene: 'colour', route: 'jobs/new', act: toWrongLayers },
  { name: 'wizard-price', route: 'jobs/new', act: toStep(3) },
  { name: 'wizard-review', route: 'jobs/new', act: toStep(4) },
  { name: 'try', route: 'try', act: draw },
  { name: 'try-conv', route: 'try', act: async page => { await page.getByTestId('try-job').selectOption({ label: 'Handwritten letters' }); await draw(page) } },
  { name: 'try-colour-file', scene: 'colour', route: 'try', act: async page => { await page.getByTestId('try-job').selectOption({ label: 'Handwritten letters' }); await page.getByTestId('try-file').setInputFiles('public/icon-192.png'); await page.getByTestId('try-label').waitFor() } },
  { name: 'try-colour', scene: 'colour', route: 'try', act: async page => { await page.getByTestId('try-job').selectOption({ label: 'Handwritten letters' }); await page.getByTestId('try-sample').click(); await page.getByTestId('try-label').waitFor() } },
  { name: 'library', route: 'library' },
  { name: 'library-empty', scene: 'library-empty', route: 'library' },
  { name: 'library-memory', scene: 'library-memory', route: 'library/settings', act: async page => { await page.getByTestId('limits-up').fill('fast') } },
  { name: 'library-add', route: 'library/add', act: async page => { await page.getByTestId('library-source').fill('magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=Old+maps&tr=wss%3A%2F%2Ftracker.example') } },
  { name: 'library-torrent', route: 'library/add', act: async page => { await page.getByTestId('library-files').setInputFiles({ name: 'old maps.torrent', mimeType: 'application/x-bittorrent', buffer: Buffer.from('x') }); await page.getByTestId('library-torrent-add').click(); await page.getByTestId('library-torrent-error').waitFor() } },
  { name: 'library-share', route: 'library/add', act: async page => { await page.getByTestId('library-files').setInputFiles([{ name: 'birds-train.csv', mimeType: 'text/csv', buffer: Buffer.alloc(70_000, 'a') }, { name: 'birds-test.csv', mimeType: 'text/csv', buffer: Buffer.alloc(9_000, 'a') }]); await page.getByTestId('share-licence').selectOption('own'); await page.getByTestId('share-submit').click() } },
  { name: 'library-set', route: 'library', act: async page => { await page.locator('[data-state="downloading"] .set-name').click(); await page.getByTestId('set-detail').waitFor(); await page.waitForTimeout(4_000) } },
  { name: 'library-whole', route: 'library', act: async page => { await page.locator('[data-state="complete"] .set-name').first().click(); await page.getByTestId('set-detail').waitFor() } },
  { name: 'library-remove', route: 'library', act: async page => { await page.locator('[data-testid="set-row"]').filter({ hasText: 'Which flower' }).getByTestId('set-remove').click(); await page.getByTestId('set-remove-confirm').waitFor() } },
  { name: 'logs', route: 'logs' },
  { name: 'settings', route: 'settings' },
  { name: 'unsupported', scene: 'unsupported', route: '' },
  { name: 'boot-error', scene: 'boot-error', route: '' }
]

const wanted = process.argv.slice(2)
const shots = wanted.length === 0 ? SHOTS : SHOTS.filter(s => wanted.some(w => s.name.startsWith(w)))
mkdirSync(OUT, { recursive: true })
const vite = await createServer({ server: { port: 5199, host: '127.0.0.1' }, logLevel: 'error' })
await vite.listen()
const browser = await chromium.launch({ executablePath: await ensureChromium(), args: ['--no-sandbox'] })
let wrong = 0
for (const size of SIZES) {
  for (const theme of THEMES) {
    const context = await browser.newContext({ viewport: { width: size.width, height: size.height }, colorScheme: theme, reducedMotion: 'reduce', deviceScaleFactor: 1 })
    for (const shot of shots) {
      const page = await context.newPage()
      const label = `${shot.name}-${size.name}-${theme}`
      page.on('pageerror', e => { wrong++; console.error(`${label}: ${e.message}`) })
      page.on('console', m => { if (m.type() === 'error') { wrong++; console.error(`${label}: ${m.text()}`) } })
      await page.goto(`http://127.0.0.1:5199/tests/ui/dev.html?scene=${shot.scene ?? 'ready'}#/${shot.route}`)
      await page.locator('main').waitFor()
      await page.waitForFunction(() => document.querySelector('main .skeleton') === null)
      await page.waitForTimeout(200)
      await shot.act?.(page)
      await page.waitForTimeout(150)
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      if (wide > 0) { wrong++; console.error(`${label}: ${wide} px wider than the window`) }
      const cut = await page.evaluate(() => [...document.querySelectorAll('.segments')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent ?? ''))
      for (const words of cut) { wrong++; console.error(`${label}: a choice is cut off: ${words}`) }
      // As tall as the page, so that bars fixed to the window's edge lie where a person sees them.
      const tall = await page.evaluate(() => document.documentElement.scrollHeight)
      await page.setViewportSize({ width: size.width, height: Math.max(size.height, tall) })
      await page.screenshot({ path: `${OUT}/${label}.png` })
      await page.close()
    }
    await context.close()
  }
}
await browser.close()
await vite.close()
console.log(`${shots.length * SIZES.length * THEMES.length} pictures in ${OUT}/, ${wrong} problems`)
process.exitCode = wrong === 0 ? 0 : 1
