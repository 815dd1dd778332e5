import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { traceRequest } from '../otlp/json.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { readRecording, timeFactorOf } from './recording.ts'
import { UserError } from './user-error.ts'

const folder = ownFolder()

const MARK = '\ufeff'
const line = (name: string) =>
  JSON.stringify(traceRequest([{ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), name, endTimeUnixNano: '7000000' }]))

async function read(name: string, content: string | Buffer) {
  const path = join(folder, name)
  writeFileSync(path, content)
  const found: (string | undefined)[] = []
  for await (const { spans, body, atMs } of readRecording(path)) {
    assert.equal(atMs, 7)
    JSON.parse(body.toString())
    found.push(...spans.map(({ name }) => name))
  }
  return found
}

test('a byte order mark is no part of a recording: at its begin, and where files were joined', async () => {
  const text = `${MARK}${line('one')}\n${MARK}${line('two')}\r\n`
  assert.deepEqual(await read('marked.jsonl', text), ['one', 'two'])
  assert.deepEqual(await read('marked.jsonl.gz', gzipSync(text)), ['one', 'two'])
  // Within a value it is a character like any other.
  assert.deepEqual(await read('inside.jsonl', `${line(`${MARK}x`)}\n`), [`${MARK}x`])
})

test('a ledger may begin with a byte order mark too', async () => {
  writeFileSync(join(folder, 'a.ledger.jsonl'), `${MARK}{"kind":"run","timeFactor":20}\n`)
  assert.equal(await timeFactorOf(join(folder, 'a.jsonl.gz')), 20)
})

for (const [what, content, message] of [
  [
    'half a line behind a mark',
    `${MARK}${line('one').slice(0, 40)}`,
    /\.jsonl:1: the line is cut off or no JSON, near "…/,
  ],
  ['a second mark', `${MARK}${MARK}${line('one')}`, /\.jsonl:1: the line is cut off or no JSON/],
  ['a mark alone', MARK, /\.jsonl:1: the file is empty/],
  ['empty lines alone', '\n\n', /\.jsonl:1: the file is empty/],
  ['UTF-16', Buffer.from(`${MARK}${line('one')}\n`, 'utf16le'), /\.jsonl:1: the file is UTF-16: .*save it as UTF-8/],
] as const)
  test(`${what} is refused with its line`, async () => {
    await assert.rejects(read('bad.jsonl', content), (error) => {
      assert.ok(error instanceof UserError)
      assert.match(error.message, message)
      return true
    })
  })
