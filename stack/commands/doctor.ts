import { statfsSync } from 'node:fs'
import { freemem, totalmem } from 'node:os'
import { execa } from 'execa'
import { isInDocker } from '../docker.ts'
import { dockerEngine } from '../docker-engine.ts'
import { findGrafana } from '../grafana.ts'
import { isBuilt, toolsLacking } from '../native.ts'
import { holder, isFree, variableOf } from '../ports.ts'
import { runningPid } from '../processes.ts'
import { recipesOf, services } from '../services.ts'
import { ROOT, type Settings } from '../settings.ts'

/** What the native stack needs in GB: memory, and disk for programs and the caches of the compilers. */
const NEEDS = { memoryGb: 1.5, diskGb: 15 }

const GB = 1e9

/** Prints what this machine has and what is missing, line by line. Returns whether `make up` should work. */
export async function doctor(settings: Settings, say: (line: string) => void): Promise<boolean> {
  let well = true
  const line = (mark: 'ok' | 'BAD' | '-', what: string, found: string) =>
    say(`${mark.padEnd(4)} ${what.padEnd(28)} ${found}`)
  const row = (good: boolean, what: string, found: string, fix = '') => {
    if (!good) well = false
    line(good ? 'ok' : 'BAD', what, `${found}${good || !fix ? '' : `\n     ${fix}`}`)
  }
  const version = async (file: string, ...args: string[]) => {
    const { stdout, failed } = await execa(file, args, { reject: false })
    return failed ? undefined : stdout.split('\n')[0]
  }

  const engine = await dockerEngine(settings.env)
  const docker = 'version' in engine
  line(docker ? 'ok' : '-', 'Docker', docker ? engine.version : `${engine.why}: make up builds from source`)
  const recipes = recipesOf(settings)
  const built = recipes.filter((recipe) => isBuilt(settings, recipe))
  const all = built.length === recipes.length
  line(all ? 'ok' : '-', 'Built from source', built.join(', ') || 'nothing yet')

  row(true, 'Node', process.version)
  const lacking = docker ? undefined : await toolsLacking(settings, recipes)
  row(!lacking?.go, 'Go', (await version('go', 'version')) ?? 'not installed', lacking?.go)
  const python = await version(process.env.PYTHON || 'python3', '--version')
  row(!lacking?.python, 'Python', python ?? 'not installed', lacking?.python)
  const grafana = findGrafana(settings.env)
  line(
    docker || grafana ? 'ok' : '-',
    'Grafana',
    docker ? 'in a container' : (grafana?.binary ?? 'not found: set GRAFANA_HOME, or use make viewer'),
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

  const inDocker = docker && (await isInDocker(settings))
  const wanted = services(settings, () => '').flatMap(({ name, ports, settings: own = settings }) =>
    ports.map((variable) => ({ name, variable, port: own.ports[variable] })),
  )
  if (docker && !grafana) wanted.push({ name: 'grafana', variable: 'GRAFANA_PORT', port: settings.ports.GRAFANA_PORT })
  for (const { name, variable, port } of wanted) {
    const isUnused = await isFree(port)
    row(
      isUnused || inDocker || runningPid(settings, name) !== undefined,
      `${variable} ${port}`,
      isUnused ? 'free' : `held by ${await holder(port)}`,
      `Stop that program, or choose another port: make up ${variableOf(settings, port)}=…`,
    )
  }
  return well
}
