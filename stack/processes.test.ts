import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { ownFolder } from './own-folder.ts'
import { runningPid, start, stop } from './processes.ts'
import { readSettings, type Settings } from './settings.ts'

let settings: Settings
const kept = { ...process.env }
beforeEach(() => {
  settings = readSettings(ownFolder())
})
afterEach(async () => {
  for (const name of ['TZ', 'LC_ALL', 'PATH'])
    if (kept[name] === undefined) delete process.env[name]
    else process.env[name] = kept[name]
  await stop(settings, 'sleeper', 1_000)
})

const sleeper = { file: process.execPath, args: ['--eval', 'setInterval(() => {}, 1000)'], env: {} }

/** How the shell of `make down` may differ from that of `make up`. */
const SHELLS = {
  'another time zone': { TZ: 'Asia/Tokyo' },
  'another language': { LC_ALL: 'de_DE.UTF-8' },
  ...(process.platform === 'linux' ? { 'no ps': { PATH: '/nowhere' } } : {}),
} as const satisfies Record<string, Readonly<Record<string, string>>>

for (const [what, changed] of Object.entries(SHELLS))
  test(`a process that was started in one shell is found and ended in one with ${what}`, async () => {
    await start(settings, 'sleeper', sleeper)
    const pid = runningPid(settings, 'sleeper')
    assert.ok(pid)
    Object.assign(process.env, changed)
    assert.equal(runningPid(settings, 'sleeper'), pid)
    await stop(settings, 'sleeper', 5_000)
    assert.equal(runningPid(settings, 'sleeper'), undefined)
  })

test('a later process with the same pid is not ours', async () => {
  await start(settings, 'sleeper', sleeper)
  const pid = runningPid(settings, 'sleeper') ?? 0
  process.kill(pid, 'SIGKILL')
  for (let tries = 0; tries < 200 && runningPid(settings, 'sleeper'); tries++)
    await new Promise((done) => setTimeout(done, 20))
  assert.equal(runningPid(settings, 'sleeper'), undefined)
})
