import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import OpenAI from 'openai'
import type { Config } from './config.ts'

const MOCK_FALLBACK = 'Qwen/Qwen2.5-1.5B-Instruct'
const DEFAULT_URL = `http://127.0.0.1:${process.env.VLLM_PORT || 8000}/v1`

type ModelServer = Readonly<{ url: string; fallbackModel: string | undefined; stop: () => void }>

/**
 * Finds the server to ask: the one that was named, else one at the default address, else mock-vllm as a process of its
 * own. Throws when the server does not answer or does not serve the models that are wanted.
 */
export async function findModelServer(config: Config): Promise<ModelServer> {
  if (config.baseUrl) return check(config.baseUrl, config, () => {})
  if (
    await fetch(`${DEFAULT_URL}/models`, { signal: AbortSignal.timeout(2000) }).then(
      (response) => response.ok,
      () => false,
    )
  ) {
    return check(DEFAULT_URL, config, () => {})
  }
  const mock = spawn(
    process.execPath,
    [...process.execArgv, fileURLToPath(import.meta.resolve('./mock-vllm/main.ts')), '--port', '0'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TIME_FACTOR: String(config.timeFactor), OTEL_SERVICE_NAME: 'mock-vllm' },
      detached: true, // a Ctrl-C must not reach mock-vllm: the simulator ends it after its last tick
    },
  )
  mock.unref()
  const stop = () => void mock.kill()
  process.on('exit', stop)
  const url = await Promise.race([announced(mock.stdout), once(mock, 'exit').then(() => undefined)])
  if (!url) throw new Error('mock-vllm did not start. Read its message above.')
  return check(`${url}/v1`, config, stop)
}

async function announced(output: NodeJS.ReadableStream): Promise<string | undefined> {
  for await (const line of createInterface(output)) {
    const url = /http:\/\/[\d.]+:\d+/.exec(line)?.[0]
    if (url) return url
  }
  return undefined
}

async function check(url: string, { model, fallbackModel, apiKey }: Config, stop: () => void): Promise<ModelServer> {
  const client = new OpenAI({ baseURL: url, apiKey, maxRetries: 0, timeout: 5000 })
  const served = await client.models.list().then(
    ({ data }) => data.map(({ id }) => id),
    (error: unknown) => {
      stop()
      const why = error instanceof Error ? error.message : String(error)
      throw new Error(
        `the model server at ${url} does not answer: ${why}\n` +
          'Start it, correct VLLM_BASE_URL or VLLM_API_KEY, or unset VLLM_BASE_URL to play with mock-vllm.',
      )
    },
  )
  for (const name of [model, fallbackModel]) {
    if (name && !served.includes(name)) {
      stop()
      throw new Error(
        `the model server at ${url} does not serve "${name}". It serves: ${served.join(', ') || 'nothing'}.`,
      )
    }
  }
  return { url, fallbackModel: fallbackModel ?? served.find((name) => name === MOCK_FALLBACK && name !== model), stop }
}
