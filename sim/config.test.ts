import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Config, LIMITS, readConfig } from './config.ts'

class Exit extends Error {
  readonly code: unknown
  constructor(code: unknown) {
    super(`exit ${code}`)
    this.code = code
  }
}

/** Reads a configuration that ends the process: with which code, and after which words. */
function exiting(argv: readonly string[], env: NodeJS.ProcessEnv = {}): { code: unknown; said: string } {
  const { exit, stdout, stderr, env: own } = process
  const write = { out: stdout.write, err: stderr.write }
  let said = ''
  const listen = (text: string | Uint8Array) => {
    said += text
    return true
  }
  process.exit = (code) => {
    throw new Exit(code)
  }
  Object.assign(stdout, { write: listen })
  Object.assign(stderr, { write: listen })
  process.env = env
  try {
    readConfig(argv, env)
  } catch (error) {
    if (!(error instanceof Exit)) throw error
    return { code: error.code, said }
  } finally {
    process.exit = exit
    process.env = own
    Object.assign(stdout, { write: write.out })
    Object.assign(stderr, { write: write.err })
  }
  assert.fail(`accepted: ${argv.join(' ')} ${JSON.stringify(env)}`)
}

function reading(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Config {
  const own = process.env
  process.env = env
  try {
    return readConfig(argv, env)
  } finally {
    process.env = own
  }
}

test('without options it plays for ever, a tick every 5 s, against mock-vllm', () => {
  assert.deepEqual(
    { ...reading([]) },
    {
      ticks: 0,
      seed: 1,
      tickInterval: 5000,
      timeFactor: 1,
      model: 'Qwen/Qwen2.5-3B-Instruct',
      contentCapture: 'full',
      console: false,
      apiKey: 'EMPTY',
    },
  )
})

test('every option has a flag and a variable, and the flag wins', () => {
  const knobs: [flag: string, name: string, text: string, key: keyof Config, value: unknown][] = [
    ['--ticks', 'TICKS', '12', 'ticks', 12],
    ['--seed', 'SEED', '7', 'seed', 7],
    ['--tick-interval', 'TICK_INTERVAL', '1.5s', 'tickInterval', 1500],
    ['--tick-interval', 'TICK_INTERVAL', '250ms', 'tickInterval', 250],
    ['--tick-interval', 'TICK_INTERVAL', '2m', 'tickInterval', 120_000],
    ['--time-factor', 'TIME_FACTOR', '0.5', 'timeFactor', 0.5],
    ['--base-url', 'VLLM_BASE_URL', 'http://10.0.0.1:9/v1/', 'baseUrl', 'http://10.0.0.1:9/v1'],
    ['--model', 'VLLM_MODEL', 'm', 'model', 'm'],
    ['--fallback-model', 'VLLM_FALLBACK_MODEL', 'f', 'fallbackModel', 'f'],
    ['--ledger', 'LEDGER', 'l.jsonl', 'ledger', 'l.jsonl'],
    ['--rumour', 'RUMOUR', 'honey is poisoned', 'rumour', 'honey is poisoned'],
    ['--recall-tempo', 'RECALL_TEMPO', 'http://127.0.0.1:3200/', 'recallTempo', 'http://127.0.0.1:3200'],
    ['--content-capture', 'CONTENT_CAPTURE', 'metadata', 'contentCapture', 'metadata'],
    ['--content-capture', 'CONTENT_CAPTURE', 'off', 'contentCapture', 'off'],
  ]
  for (const [flag, name, text, key, value] of knobs) {
    assert.equal(reading([flag, text])[key], value, flag)
    assert.equal(reading([], { [name]: text })[key], value, name)
  }
  assert.equal(reading(['--seed', '2'], { SEED: '3' }).seed, 2)
  assert.equal(reading([], { VLLM_API_KEY: 'secret' }).apiKey, 'secret')
})

test('an empty variable means unset: make and Compose pass variables on that way', () => {
  const names = [
    'TICKS',
    'SEED',
    'TICK_INTERVAL',
    'TIME_FACTOR',
    'VLLM_BASE_URL',
    'VLLM_MODEL',
    'LEDGER',
    'VLLM_API_KEY',
    'CONTENT_CAPTURE',
    'RECALL_TEMPO',
  ]
  assert.deepEqual(reading([], Object.fromEntries(names.map((name) => [name, '']))), reading([]))
})

test('a bad flag ends the process with code 1 and names the flag, the value and the rule', () => {
  const bad: [flag: string, values: readonly string[], rule: RegExp][] = [
    ['--ticks', ['-1', '1.5', 'many', '', '1e3', '12345678901'], /whole number from 0 to 999999999/],
    ['--seed', ['-1', 'x', '0x10'], /whole number from 0 to 999999999/],
    ['--tick-interval', ['5', '-5s', '5 s', '1h', 's', ''], /duration such as 500ms, 5s or 1m/],
    ['--time-factor', ['0', '-1', '1001', 'fast', '', 'NaN', 'Infinity'], /number from 0.1 to 1000/],
    ['--base-url', ['localhost:8000', 'ftp://x', 'http://', '', '/v1'], /http:\/\/ or https:\/\/ address/],
  ]
  for (const [flag, values, rule] of bad) {
    for (const value of values) {
      const { code, said } = exiting([`${flag}=${value}`])
      assert.equal(code, 1)
      assert.ok(said.startsWith('error: ') && said.includes(flag) && said.includes(`'${value}'`), said)
      assert.match(said, rule)
      assert.match(said, /--help/)
    }
  }
})

test('a bad variable is named with its value, and ends the process too', () => {
  const bad = { TICKS: 'x', SEED: '-1', TICK_INTERVAL: '5', TIME_FACTOR: 'fast', VLLM_BASE_URL: 'localhost:8000' }
  for (const [name, value] of Object.entries(bad)) {
    const { code, said } = exiting([], { [name]: value })
    assert.equal(code, 1)
    assert.ok(said.includes(`'${value}' from env '${name}'`), said)
  }
})

test('an unknown flag, a missing value and a stray word are refused', () => {
  assert.match(exiting(['--tick', '3']).said, /unknown option '--tick'[\s\S]*--ticks/)
  assert.match(exiting(['--ticks']).said, /argument missing/)
  assert.match(exiting(['start']).said, /too many arguments/)
})

test('--help lists every variable that is read, and ends with code 0', () => {
  const { code, said } = exiting(['--help'])
  assert.equal(code, 0)
  const names = ['TICKS', 'SEED', 'TICK_INTERVAL', 'TIME_FACTOR', 'VLLM_BASE_URL', 'VLLM_MODEL', 'VLLM_FALLBACK_MODEL']
  const more = ['LEDGER', 'RUMOUR', 'RECALL_TEMPO', 'VLLM_API_KEY', 'OTEL_']
  for (const name of [...names, ...more]) assert.ok(said.includes(name), name)
})

test('the limits nest: a request fits twice into a turn, and a tick ends 5 s before the sampler decides', () => {
  assert.ok(2 * LIMITS.requestMs < LIMITS.agentMs)
  assert.ok(LIMITS.agentMs < 15_000)
})
