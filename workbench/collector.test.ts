import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownFolder } from '../stack/own-folder.ts'
import { freePorts } from '../stack/ports.ts'
import { type Launcher, startCollector } from './collector.ts'

const folder = ownFolder()

const READY = "console.error('Everything is ready. Begin running and processing data.')"

/** A program in the place of the collector. */
async function started(script: string) {
  const launcher: Launcher = {
    collector: (_folder, _overlays, env) => ({ file: process.execPath, args: ['--eval', script], env }),
    freePorts,
    startLimitMs: 20_000,
    cancel: new AbortController().signal,
    say: () => {},
  }
  return startCollector(launcher, { folder, overlays: [], env: {} })
}

test('when it ends while it is asked, its last words are told, and not the broken connection', async () => {
  // It closes its connections a moment before its end can be seen.
  const collector = await started(`
    const server = require('node:net').createServer((asked) => {
      server.close()
      asked.destroy()
      console.error('panic: out of acorns')
      setTimeout(() => process.exit(2), 500)
    })
    server.listen(process.env.COLLECTOR_METRICS_PORT, '127.0.0.1', () => ${READY})`)
  await assert.rejects(collector.metrics(), /^Error: the collector ended by itself\. It said: .*panic: out of acorns$/s)
})

test('a reload is over when it says so again, and what it says late of its start does not count', async () => {
  // It takes requests before it says that it is ready, as with a machine so busy that the line comes late.
  const collector = await started(`
    require('node:http').createServer((_, answer) => answer.end()).listen(process.env.OTLP_HTTP_PORT, '127.0.0.1')
    let reloads = 0
    process.on('SIGHUP', () => setTimeout(() => { reloads++; ${READY} }, 700))
    require('node:http').createServer((_, answer) => answer.end(String(reloads))).listen(process.env.COLLECTOR_METRICS_PORT, '127.0.0.1')
    setTimeout(() => ${READY}, 700)`)
  try {
    await collector.reload()
    assert.equal(await collector.metrics(), '1')
  } finally {
    await collector.kill()
  }
})
