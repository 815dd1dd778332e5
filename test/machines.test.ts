import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { before, test } from 'node:test'
import { execa } from 'execa'
import { build } from '../stack/native.ts'
import { ownFolder } from '../stack/own-folder.ts'
import { eventually, ownSettings, quiet } from '../stack/own-stack.ts'
import { freePorts } from '../stack/ports.ts'
import { COLLECTOR_PORTS, ROOT, type Settings } from '../stack/settings.ts'
import { sumOf } from '../workbench/collector.ts'
import { backendThatTakesAll, sendFailedCall } from './one-trace.ts'

const PAGE = readFileSync(resolve(ROOT, 'deploy/machines/README.md'), 'utf8')
const blocks = [...PAGE.matchAll(/^ {3}```(?:sh|yaml)\n([\s\S]*?)^ {3}```/gm)].map(([, text = '']) =>
  text.replace(/^ {3}/gm, ''),
)
const [list = '', variables = '', sampler = '', gateway = ''] = blocks
const MACHINES = [1, 2, 3] as const
const TOKEN = 'a-token-of-sixteen'

let settings: Settings
const folder = ownFolder()

before(async () => {
  settings = await ownSettings()
  const program = (await build(settings, ['collector-tiers'], quiet))('otelcol-tiers')
  mkdirSync(join(folder, 'bin'))
  symlinkSync(program, join(folder, 'bin/otelcol-contrib'))
})

test('the page has the gates of .env', () => {
  assert.equal(blocks.length, 4)
  assert.ok(variables.includes(`GATES=--feature-gates=${settings.env.COLLECTOR_FEATURE_GATES}\n`))
})

test('six processes on three machines, by the commands of the page: any gateway takes a trace, and a machine can be taken out', async () => {
  const backend = await backendThatTakesAll()
  const [grpc = 0, ...others] = await freePorts(COLLECTOR_PORTS.length)
  const gatewayPorts = await freePorts(COLLECTOR_PORTS.length)
  const portsOfPage = [14317, 14318, 14133, 14888, 14889, 14890]
  /** The text of the page with the addresses, folders and ports of this test. */
  const here = (text: string, machine: number) =>
    [grpc, ...others]
      .reduce((now, port, index) => now.replaceAll(String(portsOfPage[index]), String(port)), text)
      .replaceAll('10.0.0.', '127.0.0.')
      .replace(/SELF=\S+ NUMBER=1/, `SELF=127.0.0.${machine} NUMBER=${machine}`)
      .replace(/(TEMPO|PHOENIX)_OTLP_ENDPOINT=\S+/g, `$1_OTLP_ENDPOINT=http://127.0.0.1:${backend.port}`)
      .replaceAll(/\/(?:opt|etc|var\/lib)\/woodland/g, join(folder, String(machine)))
  const running: (() => Promise<unknown>)[] = []
  try {
    for (const machine of MACHINES) {
      const own = join(folder, String(machine))
      cpSync(resolve(ROOT, 'collector'), join(own, 'collector'), { recursive: true })
      writeFileSync(join(own, 'samplers.yaml'), here(list, machine))
      writeFileSync(join(own, 'env'), here(variables, machine))
      writeFileSync(join(own, 'token'), `${TOKEN}\n`)
    }
    const start = async (text: string, machine: number, ports: readonly number[]) => {
      const process = execa('sh', ['-c', here(text, machine)], {
        env: {
          PATH: `${join(folder, 'bin')}:${settings.env.PATH}`,
          ...Object.fromEntries(COLLECTOR_PORTS.map((name, index) => [name, String(ports[index])])),
        },
        extendEnv: false,
        reject: false,
        all: true,
      })
      running.push(() => {
        process.kill()
        return process
      })
      await eventually(async () => {
        if (process.exitCode !== null) assert.fail((await process).all)
        assert.ok((await fetch(`http://127.0.0.${machine}:${ports[2]}`)).ok)
      })
      return () => process.kill('SIGHUP')
    }
    for (const machine of MACHINES) await start(sampler, machine, [grpc, ...others])
    const reload: (() => boolean)[] = []
    for (const machine of MACHINES) reload.push(await start(gateway, machine, gatewayPorts))

    const send = async (machine: number, trace: string) => {
      const answer = await sendFailedCall(gatewayPorts[1] ?? 0, { address: `127.0.0.${machine}`, token: TOKEN, trace })
      assert.equal(answer.status, 200)
    }
    const idOf = (number: number) => number.toString(16).padStart(32, '0')
    /** How many spans each sampler has accepted. */
    const accepted = () =>
      Promise.all(
        MACHINES.map(async (machine) =>
          sumOf(
            await (await fetch(`http://127.0.0.${machine}:${others[2]}/metrics`)).text(),
            'otelcol_receiver_accepted_spans',
          ),
        ),
      )
    const TRACES = 60
    for (let number = 1; number <= TRACES; number++) await send((number % 3) + 1, idOf(number))
    await eventually(async () => {
      const by = await accepted()
      assert.equal(
        by.reduce((sum, spans) => sum + spans),
        TRACES,
      )
      for (const spans of by) assert.ok(spans > TRACES / 10, `each sampler has a share: ${by}`)
    })
    await eventually(async () => {
      const stored = backend.taken.map(({ bytes }) => bytes).join('')
      assert.match(stored, /write to \*\*\*\* soon/)
      assert.match(stored, /keep-failed-calls/)
      assert.ok(!stored.includes('somebody'))
    })

    const before = await accepted()
    for (const [index, machine] of MACHINES.entries()) {
      const shorter = here(list, machine).replace(/, "127\.0\.0\.3:\d+"/, '')
      assert.notEqual(shorter, here(list, machine))
      writeFileSync(join(folder, String(machine), 'samplers.yaml'), shorter)
      reload[index]?.()
      await eventually(async () => {
        const page = await fetch(`http://127.0.0.${machine}:${gatewayPorts[3]}/metrics`)
        assert.match(await page.text(), /^otelcol_loadbalancer_num_backends\{.*\} 2$/m)
      })
    }
    for (let number = 1; number <= TRACES; number++) await send((number % 3) + 1, idOf(1000 + number))
    await eventually(async () => {
      const [one = 0, two = 0, three = 0] = (await accepted()).map((spans, index) => spans - (before[index] ?? 0))
      assert.deepEqual([one + two, three], [TRACES, 0])
    })
  } finally {
    for (const stop of running.toReversed()) await stop()
    backend.close()
  }
})
