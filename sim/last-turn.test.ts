import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { onLoopback } from '../otlp/loopback.ts'
import { lastTurnFrom } from './last-turn.ts'

test('a Tempo that is not there, or refuses, is no answer: the agent gets the reason', async () => {
  const server = createServer((_, answer) => answer.writeHead(503).end())
  const { url: tempo, close } = await onLoopback(server)
  await assert.rejects(lastTurnFrom(tempo, 'run-1')('fox'), /the record cannot be read: Tempo answers HTTP 503/)
  close()
  await once(server, 'close')
  await assert.rejects(lastTurnFrom(tempo, 'run-1')('fox'), /the record cannot be read: Tempo does not answer/)
})
