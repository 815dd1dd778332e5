import assert from 'node:assert/strict'
import { join, resolve } from 'node:path'
import { before, test } from 'node:test'
import { BACKENDS, collectorFile } from '../stack/backends/backends.ts'
import { launcherFor } from '../stack/collectors.ts'
import { ownSettings, quiet } from '../stack/own-stack.ts'
import { SHIPPED_POLICY } from '../stack/policy.ts'
import { ROOT, type Settings } from '../stack/settings.ts'
import { type Launcher, startCollector, withScratch } from '../workbench/collector.ts'

/** These share statements between contexts, so they cannot name one, and the Collector says at its start that it adds the name. */
const SHARED = /"otelcol.component.id": "transform\/(?:unpack|repack|tokens|dialects|cut|jaeger)"/

let settings: Settings
let launcher: Launcher

before(async () => {
  settings = await ownSettings({ ...Object.assign({}, ...BACKENDS.map(({ needs }) => needs)), BOOT: 'native' })
  launcher = await launcherFor(settings, quiet, 'native')
})

for (const overlays of [[], ['high-volume'], ['token', 'record']])
  test(`with every backend and ${overlays.join(' and ') || 'no overlay'}, the Collector starts without a warning`, async () => {
    const files = [...BACKENDS.map(collectorFile), ...overlays.map((name) => `collector/overlays/${name}.yaml`)]
    const said = await withScratch(async (folder) => {
      const lines: string[] = []
      const collector = await startCollector(launcher, {
        folder,
        overlays: files.map((file) => resolve(ROOT, file)),
        env: {
          ...Object.assign({}, ...BACKENDS.map((backend) => backend.environment(settings))),
          POLICY_FILE: resolve(ROOT, SHIPPED_POLICY),
          OTLP_TOKEN: 'a-token-of-sixteen',
          RECORDING_FILE: join(folder, 'live.jsonl'),
        },
        line: (text) => lines.push(text),
      })
      await collector.kill()
      return lines
    })
    const isExpected = (line: string) => SHARED.test(line) && line.includes('paths were modified')
    assert.deepEqual(
      said.filter((line) => /\t(?:warn|error)\t|deprecated|paths were modified/i.test(line) && !isExpected(line)),
      [],
    )
  })
