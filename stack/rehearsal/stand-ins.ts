import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { homedir, platform } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { execa } from 'execa'
import type { Caller } from '../../workbench/collector.ts'
import { UserError } from '../../workbench/user-error.ts'
import { build, type Programs } from '../native.ts'
import { ROOT, type Settings } from '../settings.ts'
import { archiveIn, pack, type Recipe } from './archive.ts'

/** The images of docker-compose.yml by their variables; Grafana's is not rehearsed, as nothing of it is built here. */
export const IMAGES = [
  'OTELCOL_IMAGE',
  'TEMPO_IMAGE',
  'PROMETHEUS_IMAGE',
  'PHOENIX_IMAGE',
  'JAEGER_IMAGE',
  'NODE_IMAGE',
] as const
export type Image = (typeof IMAGES)[number]

const PARTS: Readonly<Record<Image, readonly string[]>> = {
  OTELCOL_IMAGE: ['collector-tiers'],
  TEMPO_IMAGE: ['tempo'],
  PROMETHEUS_IMAGE: ['prometheus'],
  PHOENIX_IMAGE: ['phoenix'],
  JAEGER_IMAGE: ['jaeger'],
  NODE_IMAGE: [],
}

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'
const certificates = existsSync(CERTIFICATES) ? { [CERTIFICATES]: CERTIFICATES } : {}

/**
 * Makes an image that is built like the pinned one, from programs of this machine: those of the native boot, its Node,
 * its Python. Throws `UserError` when something it is made of is missing.
 */
export async function makeStandIn(
  settings: Settings,
  image: Image,
  { name, scratch }: Readonly<{ name: string; scratch: string }>,
  options: Caller,
): Promise<void> {
  if (platform() !== 'linux')
    throw new UserError(
      `${settings.env[image]} could not be pulled, and a stand-in can be made on Linux only. Repair the network.`,
    )
  const recipe = await recipeOf(image, await build(settings, PARTS[image], options))
  try {
    const changes = (await pack(recipe, scratch, options.cancel)).flatMap((change) => ['--change', change])
    await execa('docker', ['import', ...changes, archiveIn(scratch), name], {
      env: settings.env,
      extendEnv: false,
      cancelSignal: options.cancel,
    })
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

async function recipeOf(image: Image, programs: Programs): Promise<Recipe> {
  switch (image) {
    case 'OTELCOL_IMAGE':
      // FROM scratch: not even a list of users. Like the pinned image, it has what two tiers need.
      return {
        files: { ...certificates, '/otelcol-contrib': programs('otelcol-tiers') },
        user: '10001',
        changes: ['ENTRYPOINT ["/otelcol-contrib"]'],
      }
    case 'TEMPO_IMAGE': {
      const wget = await anyProgram('busybox', 'wget')
      return {
        files: { ...certificates, '/tempo': programs('tempo'), '/busybox/wget': wget },
        linked: [wget],
        folders: ['/tmp'],
        owned: ['/var/tempo'],
        user: '10001:10001',
        changes: ['ENTRYPOINT ["/tempo"]'],
      }
    }
    case 'PROMETHEUS_IMAGE': {
      const shell = await anyProgram('busybox', 'sh')
      return {
        files: {
          ...certificates,
          '/bin/prometheus': programs('prometheus'),
          '/bin/promtool': programs('promtool'),
          '/bin/sh': shell,
        },
        texts: { '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n' },
        linked: [shell],
        folders: ['/tmp'],
        owned: ['/prometheus'],
        user: '65534:65534',
        changes: ['WORKDIR /prometheus', 'ENTRYPOINT ["/bin/prometheus"]'],
      }
    }
    case 'PHOENIX_IMAGE':
      return phoenix(programs)
    case 'JAEGER_IMAGE': {
      // As cmd/jaeger/Dockerfile of v1.76.0 has it, on Alpine.
      const wget = await anyProgram('busybox', 'wget')
      return {
        files: { ...certificates, '/cmd/jaeger/jaeger-linux': programs('jaeger'), '/usr/bin/wget': wget },
        linked: [wget],
        folders: ['/tmp'],
        user: '10001',
        changes: ['ENV JAEGER_LISTEN_HOST=0.0.0.0', 'VOLUME /tmp', 'ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]'],
      }
    }
    case 'NODE_IMAGE':
      return node()
  }
}

/** Python without a shell, its packages in a folder of their own, run by root: the pinned tag is not the -nonroot one. */
async function phoenix(programs: Programs): Promise<Recipe> {
  const python = programs('phoenix')
  const ask = `import json, sys, sysconfig; print(json.dumps([sys.base_prefix, sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")]))`
  const [prefix, library, packages]: [string, string, string] = JSON.parse((await execa(python, ['-c', ask])).stdout)
  const program = realpathSync(python)
  const unused = ['test', 'idlelib', 'site-packages', 'dist-packages', '__pycache__']
  const parts = readdirSync(library).filter((part) => !unused.includes(part) && !part.startsWith('config-'))
  const modules = (folder: string) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.so(\.\d+)*$/.test(file))
      .map((file) => join(folder, file))
  return {
    files: {
      ...certificates,
      '/phoenix/env': packages,
      '/usr/bin/python3': program,
      ...Object.fromEntries(parts.map((part) => [join(library, part), join(library, part)])),
    },
    texts: {
      '/etc/passwd': 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n',
    },
    linked: [program, ...modules(join(library, 'lib-dynload')), ...modules(packages)],
    folders: ['/tmp', '/root'],
    user: '0',
    changes: [
      'WORKDIR /phoenix',
      'ENV PYTHONPATH=/phoenix/env',
      `ENV PYTHONHOME=${prefix}`,
      'ENV PYTHONUNBUFFERED=1',
      'ENTRYPOINT ["/usr/bin/python3"]',
      'CMD ["-m", "phoenix.server.main", "serve"]',
    ],
  }
}

/** Node and npm with what the Dockerfile of sim/ and the owner of the queue ask of a Debian: a shell, rm and chown. */
async function node(): Promise<Recipe> {
  const npm = dirname(dirname(realpathSync(await anyProgram('npm'))))
  const tools = {
    '/bin/sh': await anyProgram('sh'),
    '/bin/rm': await anyProgram('rm'),
    '/bin/chown': await anyProgram('chown'),
  }
  return {
    files: {
      ...certificates,
      ...tools,
      ...npmCache(),
      '/usr/local/bin/node': process.execPath,
      '/usr/local/lib/node_modules/npm': npm,
    },
    texts: {
      '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n',
      '/etc/group': 'root:x:0:\nnode:x:1000:\n',
      '/usr/local/bin/npm': '#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"\n',
    },
    linked: [process.execPath, ...Object.values(tools)],
    folders: ['/tmp', '/root'],
    owned: [],
    user: '0',
    changes: [
      `ENV npm_config_cache=${NPM_CACHE}`,
      'ENV npm_config_prefer_offline=true',
      'ENV npm_config_update_notifier=false',
      `ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES}`,
      'CMD ["node"]',
    ],
  }
}

const NPM_CACHE = '/npm-cache'
const NPM_REGISTRY = 'https://registry.npmjs.org/'

/**
 * What npm has here already of the packages in the lock file, their descriptions and their archives: with these,
 * `npm ci` in the image needs no network. What is not here is left to the network.
 */
function npmCache(): Record<string, string> {
  const here = resolve(process.env.npm_config_cache || resolve(homedir(), '.npm'), '_cacache')
  const split = (hex: string) => join(hex.slice(0, 2), hex.slice(2, 4), hex.slice(4))
  const content = (sum: string) => {
    const [algorithm = '', base64 = ''] = sum.split('-')
    return join('content-v2', algorithm, split(Buffer.from(base64, 'base64').toString('hex')))
  }
  const files = new Set<string>()
  const { packages }: Lock = JSON.parse(readFileSync(resolve(ROOT, 'package-lock.json'), 'utf8'))
  const add = (file: string) => existsSync(join(here, file)) && files.add(file)
  for (const [path, { version, integrity, dev }] of Object.entries(packages)) {
    if (!integrity || dev) continue
    add(content(integrity))
    const name = path.replace(/^.*node_modules\//, '')
    for (const address of [name.replace('/', '%2f'), `${name}/-/${basename(name)}-${version}.tgz`]) {
      const request = `make-fetch-happen:request-cache:${NPM_REGISTRY}${address}`
      const index = join('index-v5', split(createHash('sha256').update(request).digest('hex')))
      if (!add(index)) continue
      const answers = readFileSync(join(here, index), 'utf8')
      for (const [, sum] of answers.matchAll(/"integrity":"([^"]+)"/g)) if (sum) add(content(sum))
    }
  }
  return Object.fromEntries([...files].map((file) => [join(NPM_CACHE, '_cacache', file), join(here, file)]))
}

type Lock = Readonly<{ packages: Readonly<Record<string, { version?: string; integrity?: string; dev?: boolean }>> }>

/** The first of these programs that this machine has. */
async function anyProgram(...names: readonly string[]): Promise<string> {
  for (const name of names) {
    const { stdout, failed } = await execa('sh', ['-c', 'command -v "$1"', 'sh', name], { reject: false })
    if (!failed && stdout.startsWith('/')) return stdout
  }
  throw new UserError(`a stand-in needs ${names.join(' or ')} of this machine: install it, then make rehearse.`)
}
