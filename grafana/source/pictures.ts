import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, relative, resolve } from 'node:path'
import { execa } from 'execa'
import { boards } from './boards.ts'
import { onThisMachine } from './links.ts'

const FOLDER = resolve(import.meta.dirname, '../../docs/pictures')
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']
const SIZE = '1200,1000'
/** Whose board is shown. */
const AGENT = 'fox'
/** Of the browser's own clock: as long as the slowest panel takes. */
const LOADED_MS = 12_000

const browser =
  process.env.CHROMIUM ||
  BROWSERS.flatMap((name) => (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name))).find(
    existsSync,
  )

/** Photographs every board of the running Grafana for the README. */
async function photograph(): Promise<void> {
  if (!browser)
    throw new Error(
      `no browser is found, and pictures need one: install ${BROWSERS[0]}, or type make pictures CHROMIUM=/path/to/it`,
    )
  const answers = await fetch(onThisMachine('GRAFANA_PORT', '/api/health', process.env)).catch(() => undefined)
  if (!answers?.ok)
    throw new Error(
      'Grafana does not answer, and pictures show the running one: type make up, wait ten minutes, and try again',
    )
  const profile = mkdtempSync(join(tmpdir(), 'pictures-'))
  try {
    for (const { uid } of boards) {
      const file = join(FOLDER, `${uid}.png`)
      const agent = uid === 'one-agent' ? `&var-agent=${AGENT}` : ''
      const board = onThisMachine('GRAFANA_PORT', `/d/${uid}?from=now-10m&to=now&kiosk&theme=dark${agent}`, process.env)
      await execa(browser, [
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        ...['--headless', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
        ...['--disable-component-update', '--disable-sync', '--hide-scrollbars', `--user-data-dir=${profile}`],
        ...[`--window-size=${SIZE}`, `--virtual-time-budget=${LOADED_MS}`, `--screenshot=${file}`, board],
      ])
      console.log(`written: ${relative(process.cwd(), file)}`)
    }
  } finally {
    rmSync(profile, { recursive: true, force: true })
  }
}

await photograph().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
