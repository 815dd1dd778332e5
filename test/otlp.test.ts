import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { nanosOf, traceRequest } from '../otlp/json.ts'
import { postOtlp } from '../otlp/post.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { eventually, ownSettings, play, startStack } from '../stack/own-stack.ts'
import { prometheus, tempoSearch } from '../stack/queries.ts'
import { portVariables, type Settings, url } from '../stack/settings.ts'
import { certificateIn } from './certificate.ts'
import { main } from './collector.ts'

const TOKEN = 'a-token-of-the-wood-1234'

let settings: Settings
let end: () => Promise<void>

before(async () => {
  const { cert, key } = await certificateIn(ownFolder())
  settings = await ownSettings({ TIME_FACTOR: '10', OTLP_TOKEN: TOKEN, OTLP_TLS_CERT: cert, OTLP_TLS_KEY: key })
  end = await startStack(settings, 'collector/policies/keep-everything.yaml', [
    'tempo',
    'prometheus',
    'collector',
    'mock-vllm',
  ])
})

after(() => end?.())

const span = (name: string) =>
  traceRequest([
    {
      traceId: Buffer.from(name.padEnd(16)).toString('hex'),
      spanId: '00f067aa0ba902b7',
      name,
      startTimeUnixNano: nanosOf(Date.now()),
      endTimeUnixNano: nanosOf(Date.now() + 1),
    },
  ])

const post = (name: string, authorization?: string) =>
  new Promise<number | undefined>((done, fail) => {
    const options = {
      method: 'POST',
      ca: readFileSync(settings.env.OTLP_TLS_CERT ?? ''),
      headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) },
    }
    const address = url(settings, 'OTLP_HTTP_PORT', '/v1/traces').replace('http:', 'https:')
    request(address, options, (answer) => {
      answer.resume()
      done(answer.statusCode)
    })
      .on('error', fail)
      .end(JSON.stringify(span(name)))
  })

const stored = async (name: string) => (await tempoSearch(settings, `{ name = "${name}" }`)).length

test('a sender with the token is accepted; a sender without it or with another token gets 401 and stores nothing', async () => {
  assert.equal(await post('nobody'), 401)
  assert.equal(await post('stranger', 'Bearer of-something-else-entirely'), 401)
  assert.equal(await post('friend', `Bearer ${TOKEN}`), 200)
  await eventually(async () => assert.equal(await stored('friend'), 1))
  assert.deepEqual([await stored('nobody'), await stored('stranger')], [0, 0])
  const [received] = await eventually(async () => {
    const found = await prometheus(settings, 'sum(otelcol_receiver_accepted_spans)')
    assert.ok(found.length > 0)
    return found
  })
  assert.equal(received?.value, 1)
})

test('make sim sends with the token, over TLS, to the ports of the stack', async () => {
  const { OTLP_TLS_CERT = '', OTLP_TLS_KEY = '' } = settings.env
  const env = { ...portVariables(settings), OTLP_TOKEN: TOKEN, OTLP_TLS_CERT, OTLP_TLS_KEY }
  const { all, exitCode } = await main({ ...env, TICKS: '1', TIME_FACTOR: '10' }, 'sim')
  assert.equal(exitCode, 0, all)
  assert.match(all, /all \d+ spans were sent/)
})

test('without TLS no sender is accepted, not even with the token', async () => {
  const headers = { authorization: `Bearer ${TOKEN}` }
  const { status } = await postOtlp(url(settings, 'OTLP_HTTP_PORT', '/v1/traces'), span('open'), headers)
  assert.equal(status, 400)
  assert.equal(await stored('open'), 0)
})

test('the agents use both, and lose nothing', async () => {
  const run = await play(settings, '--ticks', '3', '--tick-interval', '100ms')
  assert.match(run.said, /all \d+ spans were sent/)
  await eventually(async () =>
    assert.equal(
      (await tempoSearch(settings, `{ span.gen_ai.conversation.id = "${run.id}" && nestedSetParent < 0 }`)).length,
      3,
    ),
  )
})

test('the token is in no log', () => {
  for (const name of ['collector', 'mock-vllm', 'tempo', 'prometheus'])
    assert.ok(!readFileSync(resolve(settings.state, `logs/${name}.log`), 'utf8').includes(TOKEN), name)
})
