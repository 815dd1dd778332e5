import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { lastTurnFrom } from './last-turn.ts'

test('a Tempo that is not there, or refuses, is no answer: the agent gets the reason', async () => {
  const server = createServer((_, answer) => answer.writeHead(503).end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const tempo = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await assert.rejects(lastTurnFrom(tempo, 'run-1')('fox'), /the record cannot be read: Tempo answers HTTP 503/)
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
  await assert.rejects(lastTurnFrom(tempo, 'run-1')('fox'), /the record cannot be read: Tempo does not answer/)
})
