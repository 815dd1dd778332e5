import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UserError } from '../../workbench/user-error.ts'
import { PORT_NAMES, type Settings } from '../settings.ts'
import type { Backend } from './backend.ts'
import { langfuse } from './langfuse.ts'
import { otlp } from './otlp.ts'

const ports = Object.fromEntries(PORT_NAMES.map((name) => [name, 1])) as Settings['ports']
const told = (backend: Backend, env: Readonly<Record<string, string>>) =>
  backend.environment({ state: '/nowhere', ports, env })

const KEYS = { LANGFUSE_PUBLIC_KEY: 'pk-lf-1', LANGFUSE_SECRET_KEY: 'sk-lf-2' }
const HOST = { LANGFUSE_HOST: 'https://cloud.langfuse.com', ...KEYS }
const ENDPOINT = { OTLP_BACKEND_ENDPOINT: 'https://otlp.example' }
const headers = (given: string): unknown =>
  JSON.parse(
    told(otlp, { ...ENDPOINT, OTLP_BACKEND_HEADERS: given }).OTLP_BACKEND_HEADER_MAP?.replaceAll('$$', '$') ?? '',
  )

/** It is refused with this message, and the message holds no secret. */
function refused(backend: Backend, env: Readonly<Record<string, string>>, message: RegExp, secret = 'hunter2') {
  assert.throws(
    () => told(backend, env),
    (error) => {
      assert.ok(error instanceof UserError)
      assert.match(error.message, message)
      assert.ok(!error.message.includes(secret), error.message)
      return true
    },
  )
}

test('Langfuse gets both keys as Basic authentication, and they are used nowhere else', () => {
  const basic = `Basic ${Buffer.from('pk-lf-1:sk-lf-2').toString('base64')}`
  assert.deepEqual(told(langfuse, HOST), {
    LANGFUSE_HOST: 'https://cloud.langfuse.com',
    LANGFUSE_AUTHORIZATION: basic,
  })
})

test('for each missing variable of Langfuse, the error has its name', () => {
  for (const name of ['LANGFUSE_HOST', 'LANGFUSE_PUBLIC_KEY', 'LANGFUSE_SECRET_KEY'])
    for (const value of [undefined, '']) {
      const { [name]: _, ...rest } = HOST as Record<string, string>
      refused(
        langfuse,
        value === undefined ? rest : { ...rest, [name]: value },
        new RegExp(
          `^${name} is not set, and the backend langfuse needs it: export ${name}=\\S+ and then make up BACKENDS=…,langfuse$`,
        ),
        'sk-lf-2',
      )
    }
})

test('an address is https unless it says otherwise, and ends without a slash', () => {
  const at = (address: string) => told(otlp, { OTLP_BACKEND_ENDPOINT: address }).OTLP_BACKEND_ENDPOINT
  assert.equal(at('api.honeycomb.io'), 'https://api.honeycomb.io')
  assert.equal(at('collector.example:4318/'), 'https://collector.example:4318')
  assert.equal(at('https://otlp.example/a/path//'), 'https://otlp.example/a/path')
  assert.equal(at('http://collector.example:4318'), 'http://collector.example:4318', 'no secret goes there')
})

test('a wrong address, and one with a name and password in it, is refused', () => {
  for (const address of [
    'https://',
    'ftp://files.example',
    'https://me:hunter2@otlp.example',
    'me:hunter2@x.example',
    '::',
  ])
    for (const [backend, name] of [
      [langfuse, 'LANGFUSE_HOST'],
      [otlp, 'OTLP_BACKEND_ENDPOINT'],
    ] as const)
      refused(
        backend,
        { ...KEYS, [name]: address },
        new RegExp(`^${name} must be the address of a server, without a name or password in it, such as https://`),
      )
})

test('a secret is sent unencrypted to this machine only', () => {
  const secret = { OTLP_BACKEND_HEADERS: 'x-key=hunter2' }
  refused(
    otlp,
    { OTLP_BACKEND_ENDPOINT: 'http://otlp.example:4318/x', ...secret },
    /^OTLP_BACKEND_ENDPOINT=http:.* would send your key unencrypted: write https:\/\/otlp\.example:4318\/x$/,
  )
  refused(langfuse, { ...HOST, LANGFUSE_HOST: 'http://lf.example' }, /would send your key unencrypted/, 'sk-lf-2')
  for (const host of ['127.0.0.1:1', 'localhost:1', '[::1]:1', 'host.docker.internal:1']) {
    told(otlp, { OTLP_BACKEND_ENDPOINT: `http://${host}`, ...secret })
    told(langfuse, { ...KEYS, LANGFUSE_HOST: `http://${host}` })
  }
})

test('headers are read as OpenTelemetry writes them, and arrive exactly as they were meant', () => {
  assert.deepEqual(headers(''), {})
  assert.deepEqual(headers('name=value,other=a%2Cb%24c'), { name: 'value', other: 'a,b$c' })
  assert.deepEqual(headers(' a = b , c=d=e== ,,'), { a: 'b', c: 'd=e==' })
  assert.deepEqual(headers('q=%22it%27s%22%20$%7BHOME},n=007,t=true'), {
    q: '"it\'s" $' + '{HOME}',
    n: '007',
    t: 'true',
  })
})

test('wrong headers are refused, and the message does not hold a value', () => {
  for (const given of ['hunter2', 'a=1,hunter2', '=hunter2', 'a=1,x key=hunter2', 'a=1,x-key='])
    refused(
      otlp,
      { ...ENDPOINT, OTLP_BACKEND_HEADERS: given },
      /^OTLP_BACKEND_HEADERS: header [12] has no name or no value/,
    )
  refused(
    otlp,
    { ...ENDPOINT, OTLP_BACKEND_HEADERS: 'x-key=hunter2%' },
    /^OTLP_BACKEND_HEADERS: the value of x-key has a % without a code after it\. Write %25/,
  )
  for (const end of ['%0A', '%00', '%7F'])
    refused(
      otlp,
      { ...ENDPOINT, OTLP_BACKEND_HEADERS: `x-key=hunter2${end}` },
      /^OTLP_BACKEND_HEADERS: the value of x-key holds a line break or another character that is not allowed in a header/,
    )
  refused(
    otlp,
    { ...ENDPOINT, OTLP_BACKEND_HEADERS: 'x-key=hunter2,X-Key=hunter2' },
    /^OTLP_BACKEND_HEADERS names X-Key twice/,
  )
})
