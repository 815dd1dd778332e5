import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blind, note, ok, untold } from './line.ts'
import { nothingArrived } from './nothing.ts'
import { reportOn, verdictOn } from './report.ts'

const lines = [
  ok('logs', 'none'),
  note('errors', '3 failed', 'paste this'),
  ok('arrives', '6 spans'),
  untold('links', 'cannot be told'),
]

test('lines come in one order, each with its fix below it', () => {
  assert.deepEqual(reportOn('my-agents', lines, false), [
    'my-agents',
    'ok   arrives        6 spans',
    'note errors         3 failed',
    '                      paste this',
    '?    links          cannot be told',
    'ok   logs           none',
  ])
})

test('the short form names what is well in one line', () => {
  assert.deepEqual(reportOn('my-agents', lines, true), [
    'my-agents',
    'note errors         3 failed',
    '                      paste this',
    'ok   arrives, logs',
  ])
})

test('only a blind line makes the service unseen', () => {
  assert.equal(verdictOn(lines), 'seen')
  const unseen = [...lines, blind('model', 'none')]
  assert.equal(verdictOn(unseen), 'blind')
  assert.match(reportOn('my-agents', unseen, true)[0] ?? '', /does not see it$/)
})

const pipeline = { answers: [], refused: 0, waiting: 0, lateKept: 0, lateLost: 0, resets: 0 }
const where = { pipeline, window: '10m', endpoint: 'http://127.0.0.1:4318', grpcPort: 4317, needsToken: false }
const said = (answers: Parameters<typeof nothingArrived>[0]['pipeline']['answers'], more = {}) =>
  nothingArrived({ ...where, pipeline: { ...pipeline, answers }, ...more }).join('\n')

test('when nothing arrives, it says what the receiver answered, or that nobody called', () => {
  assert.match(said([]), /no request reached the Collector[\s\S]*ENDPOINT=http:\/\/127\.0\.0\.1:4317 .*=grpc/)
  assert.match(
    said([{ protocol: 'HTTP', code: '404', count: 3 }]),
    /3 requests over HTTP were answered 404: the path is wrong/,
  )
  assert.match(said([{ protocol: 'gRPC', code: 'UNAUTHENTICATED', count: 1 }]), /over gRPC .* the token is missing/)
  assert.match(said([{ protocol: 'HTTP', code: '200', count: 2 }]), /2 requests were taken, but they held no span/)
  assert.doesNotMatch(said([]), /Bearer/)
  assert.match(said([], { needsToken: true }), /Bearer/)
  assert.match(said([], { endpoint: 'https://127.0.0.1:4318' }), /https:\/\/127\.0\.0\.1:4317/)
})
