import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { onLoopback } from '../../otlp/loopback.ts'

const main = new URL('main.ts', import.meta.url).pathname
const start = (args: readonly string[], env: Record<string, string> = {}) =>
  spawn(process.execPath, ['--import', 'tsx', main, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const child = start(args, env)
  const [[code], err] = await Promise.all([once(child, 'exit'), text(child.stderr)])
  return { code, err }
}

test('wrong usage is one line with the value, the rule and the fix, and exit code 2', async () => {
  const [preset, rate, port] = await Promise.all([
    run(['--preset', 'storm']),
    run(['--rate', 'slow=2']),
    run([], { VLLM_PORT: 'tcp://x' }),
  ])
  assert.deepEqual([preset.code, rate.code, port.code], [2, 2, 2])
  assert.match(
    preset.err,
    /^error: .*'storm' is invalid\. Allowed choices are default, calm, winter, chaos, leaky\.\n$/,
  )
  assert.match(rate.err, /^error: .*"slow=2" has no rate between 0 and 1; write for example slow=0\.05\n$/)
  assert.match(
    port.err,
    /^error: .*'tcp:\/\/x' from env 'VLLM_PORT' is invalid\. It must be a whole number from 0 to 65535\.\n$/,
  )
})

test('a port in use is one line and exit code 1', async (t) => {
  const { port, close } = await onLoopback(createServer())
  t.after(close)
  const { code, err } = await run(['--port', String(port)])
  assert.equal(code, 1)
  assert.match(err, new RegExp(`^error: cannot listen on 127.0.0.1 port ${port}: it is in use; .*VLLM_PORT\\)\\n$`))
})

test('without a collector it serves, says nothing about it, and stops soon after SIGTERM with a request open', async () => {
  const started = performance.now()
  const child = start(['--port', '0', '--preset', 'calm', '--time-factor', '100', '--rate', 'stall@bear=1'], {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_TRACES_EXPORTER: 'otlp',
  })
  const err = text(child.stderr)
  const [line] = await once(child.stdout.setEncoding('utf8'), 'data')
  // A machine that is slow to start it is slow to stop it.
  const soonMs = 2000 + (performance.now() - started)
  const url = /http:\S+(?=,)/.exec(line)?.[0]
  const ask = (user: string) =>
    fetch(`${url}/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ user, messages: [{ role: 'user', content: 'hi' }] }),
    })
  assert.equal((await ask('fox')).status, 200)
  const stalled = assert.rejects(ask('bear'))
  await new Promise((resolve) => setTimeout(resolve, 700)) // the first export has failed by now
  const began = performance.now()
  child.kill('SIGTERM')
  const exited = once(child, 'exit')
  await stalled
  assert.equal(child.exitCode, null, 'the open request is ended before the process')
  assert.equal((await exited)[0], 0)
  assert.ok(performance.now() - began < soonMs)
  assert.equal(await err, '')
})
