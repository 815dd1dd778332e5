import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { toAttributes, traceRequest } from '../../otlp/json.ts'
import { recorder } from './record.ts'

const RECORDINGS = resolve(import.meta.dirname, 'recordings')

const spanOf = (traceId: string, spanId: string, attributes = {}) => ({
  traceId: traceId.repeat(32),
  spanId: spanId.repeat(16),
  name: 'step',
  startTimeUnixNano: '1795223772818000000',
  endTimeUnixNano: '1795223772918000000',
  attributes: toAttributes(attributes),
})

test('a trace is one line, though its spans come in two requests, with the class under which it began', () => {
  const runs = recorder()
  runs.add('slow', traceRequest([spanOf('a', '1')]))
  runs.add('ordinary', traceRequest([spanOf('b', '2'), spanOf('a', '3')]))
  const lines = runs.lines().map((line) => JSON.parse(line))
  assert.deepEqual(
    lines.map((line) => [line.class, line.body.resourceSpans.length]),
    [
      ['slow', 2],
      ['ordinary', 1],
    ],
  )
})

test('what tells of the machine is left out: its attributes, and the folders in the texts of exceptions', () => {
  const runs = recorder()
  const text =
    'File "/home/ann/env/lib/python3.11/site-packages/openai/_client.py", line 3\n  File "/tmp/x/agent.py", line 7, at http://127.0.0.1:8000/v1/chat'
  runs.add(
    'fail500',
    traceRequest([spanOf('a', '1', { 'exception.stacktrace': text })], {
      resource: { 'service.name': 'owl', 'host.name': 'annas-laptop', 'process.executable.path': '/usr/bin/python3' },
    }),
  )
  const [line = ''] = runs.lines()
  assert.doesNotMatch(line, /ann|laptop|\/usr\/bin/)
  assert.match(line, /File \\"site-packages\/openai\/_client\.py\\", line 3/)
  assert.match(line, /File \\"agent\.py\\", line 7, at http:\/\/127\.0\.0\.1:8000\/v1\/chat/)
  assert.match(line, /owl/)
})

test('no recording tells of the machine that made it, and each is small', () => {
  for (const name of readdirSync(RECORDINGS)) {
    const text = gunzipSync(readFileSync(resolve(RECORDINGS, name))).toString()
    const found = text.match(
      /[\s"'(]\/(?:root|home|Users|usr|tmp|private)\/[A-Za-z.].{20}|"key": ?"(?:host|os|process)[.]/,
    )
    assert.equal(found?.[0], undefined, name)
    assert.ok(text.trimEnd().split('\n').length <= 40, `${name} has more than 40 runs`)
  }
})
