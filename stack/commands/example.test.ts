import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, test } from 'node:test'
import { UserError } from '../../workbench/user-error.ts'
import { ownSettings } from '../own-stack.ts'
import { example } from './example.ts'

const settings = await ownSettings()

const asked = (name: string) => {
  const said: string[] = []
  return example(settings, name, { cancel: new AbortController().signal, say: (line) => said.push(line) }).then(
    () => assert.fail('it was not refused'),
    (error: unknown) => {
      assert.ok(error instanceof UserError, String(error))
      assert.deepEqual(said, [], 'it was refused before anything was installed or run')
      return error.message
    },
  )
}

test('without a stack, it says what does not listen and what to type', async () => {
  const { OTLP_HTTP_PORT } = settings.ports
  assert.equal(
    await asked('langgraph'),
    `nothing listens on http://127.0.0.1:${OTLP_HTTP_PORT} (OTLP_HTTP_PORT, the Collector): run make up first.`,
  )
})

test('without a model server, it says so', async () => {
  const { OTLP_HTTP_PORT, VLLM_PORT } = settings.ports
  const receiver = createServer().listen(OTLP_HTTP_PORT, '127.0.0.1')
  await once(receiver, 'listening')
  after(() => receiver.close())
  assert.equal(
    await asked('langgraph'),
    `nothing answers at http://127.0.0.1:${VLLM_PORT}/v1/models, the model server: run make up first.`,
  )
})

test('a name that is no example is refused first', async () => {
  assert.match(await asked('lang-graph'), /^NAME=lang-graph is not an example\. There are langgraph, litellm, /)
})
