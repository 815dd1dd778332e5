import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { onLoopback } from '../../otlp/loopback.ts'
import { freePorts } from '../ports.ts'
import { readSettings } from '../settings.ts'
import { viewerServer } from './viewer.ts'

test('the viewer forwards queries, and nothing else', async (t) => {
  const [PROMETHEUS_PORT = 0, TEMPO_PORT = 0] = await freePorts(2)
  const settings = readSettings()
  const server = viewerServer({
    ...settings,
    ports: { ...settings.ports, PROMETHEUS_PORT, TEMPO_PORT, PHOENIX_PORT: 7006 },
  })
  const { port, url, close } = await onLoopback(server)
  t.after(close)
  const status = (method: string, path: string, host = `127.0.0.1:${port}`) =>
    new Promise((done, failed) => {
      request({ port, method, path, headers: { host } }, (answer) => done(answer.resume().statusCode))
        .on('error', failed)
        .end()
    })
  // No server listens behind it, so a forwarded query gets 502.
  const HANDED_ON = 502
  assert.equal(await status('POST', '/prom/api/v1/query'), HANDED_ON)
  assert.equal(await status('GET', '/prom/api/v1/label/job/values'), HANDED_ON)
  assert.equal(await status('GET', '/tempo/api/search'), HANDED_ON)
  assert.equal(await status('GET', '/tempo/api/v2/traces/0af7'), 404)
  assert.equal(await status('DELETE', '/prom/api/v1/query'), 405)
  assert.equal(await status('POST', '/prom/api/v1/admin/tsdb/delete_series'), 405)
  assert.equal(await status('POST', '/prom/-/quit'), 405)
  assert.equal(await status('GET', '/prom/api/v1/status/config'), 404)
  assert.equal(await status('GET', '/tempo/shutdown'), 404)
  assert.equal(await status('GET', '/boards.json'), 200)
  assert.equal(await status('GET', '/d/pipeline'), 200)
  const lost = await fetch(`${url}/trace/0af7`)
  assert.equal(lost.status, 404)
  assert.match(await lost.text(), /^Tempo does not answer at /)
  assert.match(await (await fetch(`${url}/trace/nothing`)).text(), /is no trace id/)
  const boards = await (await fetch(`${url}/boards.json`)).text()
  assert.deepEqual([...new Set(boards.match(/http:\/\/[^/]+(?=\/redirects\/)/g))], ['http://127.0.0.1:7006'])
  assert.equal(await status('GET', '/..%2f..%2fpackage.json'), 404)
  assert.equal(await status('GET', '/../index.html'), 404)
  assert.equal(await status('GET', '/boards.json', 'elsewhere.example:80'), 403)
})
