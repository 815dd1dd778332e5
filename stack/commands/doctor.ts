import { statfsSync } from 'node:fs'
import { freemem, totalmem } from 'node:os'
import { execa } from 'execa'
import { chosenBackends, served } from '../backends/backends.ts'
import { isInDocker } from '../docker.ts'
import { dockerEngine } from '../docker-engine.ts'
import { findGrafana } from '../grafana.ts'
import { isBuilt } from '../native.ts'
import { holder, isFree } from '../ports.ts'
import { started } from '../processes.ts'
import { PORT_NAMES, ROOT, type Settings } from '../settings.ts'

/** What the native stack needs in GB: memory, and disk for programs and the caches of the compilers. */
const NEEDS = { memoryGb: 1.5, diskGb: 15 }

const GB = 1e9

/** Prints what this machine has and what is missing, line by line. Returns whether `make up` should work. */
export async function doctor(settings: Settings, say: (line: string) => void): Promise<boolean> {
  let well = true
  const row = (good: boolean, what: string, found: string, fix = '') => {
    if (!good) well = false
    say(`${good ? 'ok  ' : 'BAD '} ${what.padEnd(26)} ${found}${good || !fix ? '' : `\n     ${fix}`}`)
  }
  const version = async (file: string, ...args: string[]) => {
    const { stdout, failed } = await execa(file, args, { reject: false })
    return failed ? undefined : stdout.split('\n')[0]
  }

  const engine = await dockerEngine(settings.env)
  const docker = 'version' in engine
  say(
    `${docker ? 'ok  ' : '-   '} ${'Docker'.padEnd(26)} ${docker ? engine.version : `${engine.why}: make up builds from source`}`,
  )
  const recipes = ['collector', 'prometheus', ...served(chosenBackends(settings)).map(({ server }) => server.recipe)]
  const built = recipes.filter((recipe) => isBuilt(settings, recipe))
  const all = built.length === recipes.length
  say(`${all ? 'ok  ' : '-   '} ${'Built from source'.padEnd(26)} ${built.join(', ') || 'nothing yet'}`)

  row(true, 'Node', process.version)
  const go = await version('go', 'version')
  row(docker || all || go !== undefined, 'Go', go ?? 'not installed', 'Install Go from go.dev/dl, or start Docker.')
  const python = await version(process.env.PYTHON || 'python3', '--version')
  row(
    docker || all || python !== undefined,
    'Python',
    python ?? 'not installed',
    'Install Python 3.11 or newer, or start Docker.',
  )
  const grafana = findGrafana(settings.env)
  say(
    `${docker || grafana ? 'ok  ' : '-   '} ${'Grafana'.padEnd(26)} ${docker ? 'in a container' : (grafana?.binary ?? 'not found: set GRAFANA_HOME, or use make viewer')}`,
  )

  row(
    totalmem() > NEEDS.memoryGb * GB,
    'Memory',
    `${(freemem() / GB).toFixed(1)} of ${(totalmem() / GB).toFixed(1)} GB free`,
    `The stack needs about ${NEEDS.memoryGb} GB.`,
  )
  const { bavail, bsize } = statfsSync(ROOT)
  const free = (bavail * bsize) / GB
  row(
    all || free > NEEDS.diskGb,
    'Disk',
    `${free.toFixed(0)} GB free`,
    `The first build needs up to ${NEEDS.diskGb} GB with its caches.`,
  )

  const ours = started(settings).length > 0 || (docker && (await isInDocker(settings)))
  for (const name of PORT_NAMES) {
    const port = settings.ports[name]
    const what = `${name} ${port}`
    if (await isFree(port)) row(true, what, 'free')
    else
      row(ours, what, `held by ${await holder(port)}`, `Stop that program, or choose another port: make up ${name}=…`)
  }
  return well
}
