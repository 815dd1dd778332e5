import { existsSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { extname, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { dashboardsFor } from '../../grafana/source/dashboards.ts'
import type { Caller } from '../../workbench/collector.ts'
import { UserError } from '../../workbench/user-error.ts'
import { holder, isFree } from '../ports.ts'
import { linked } from '../services.ts'
import { type PortName, ROOT, type Settings, url } from '../settings.ts'
import { tracePage } from './explain.ts'

/** The disk space of the component libraries; it is shown before they are installed. */
export const VIEWER_SIZE = '430 MB'

const DIST = resolve(ROOT, 'viewer/dist')
const ICONS = resolve(ROOT, 'viewer/node_modules/@grafana/ui/dist/public')
const FONT = resolve(ROOT, 'viewer/node_modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2')
const TYPES: Record<string, string> = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }

/** Which paths of the backends may be used: queries, never administration. */
const QUESTIONS: readonly [PortName, RegExp][] = [
  ['PROMETHEUS_PORT', /^\/prom(\/api\/v1\/(?:query|query_range|label\/\w+\/values))$/],
  ['TEMPO_PORT', /^\/tempo(\/api\/(?:search|metrics\/query|metrics\/query_range))$/],
]

/**
 * Shows the boards of grafana/dashboards in a browser, without a Grafana, until cancelled. Make builds `viewer/` before.
 * Throws `UserError` when the stack is not up or the port is taken.
 */
export async function view(settings: Settings, { cancel, say }: Caller) {
  for (const [name, ready] of Object.entries({ PROMETHEUS_PORT: '/-/ready', TEMPO_PORT: '/ready' })) {
    const at = url(settings, name as PortName, ready)
    const answer = await fetch(at, { signal: AbortSignal.timeout(5000) }).catch(() => undefined)
    if (!answer?.ok)
      throw new UserError(`${at} (${name}) does not answer, so there is nothing to show. To start the stack: make up.`)
  }
  const port = settings.ports.VIEWER_PORT
  if (!(await isFree(port)))
    throw new UserError(
      `port ${port} (VIEWER_PORT) is taken by ${await holder(port)}. Stop that program, or choose another port: make viewer VIEWER_PORT=…`,
    )
  const server = viewerServer(settings).listen(port, '127.0.0.1')
  say(
    `${url(settings, 'VIEWER_PORT')}  the boards, in Grafana's panel components (not a Grafana server). To stop it: Ctrl-C.`,
  )
  await new Promise((done) => cancel.addEventListener('abort', done))
  server.close().closeAllConnections()
}

/** Serves the pages of the viewer and forwards queries to the stack. It changes nothing. */
export const viewerServer = (settings: Settings): Server =>
  createServer((request, response) => {
    answer(settings, request, response).catch((error: Error) => end(response, 502, error.message))
  })

async function answer(settings: Settings, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, search } = new URL(request.url ?? '/', 'http://viewer')
  const { method = '', headers } = request
  // A foreign page could read this server through a host name that resolves to 127.0.0.1. Its requests carry that name, so refuse them.
  if (!/^(127\.0\.0\.1|localhost):\d+$/.test(headers.host ?? '')) return end(response, 403, 'use the address 127.0.0.1')
  for (const [port, path] of QUESTIONS) {
    const asked = path.exec(pathname)?.[1]
    if (!asked || !['GET', 'POST'].includes(method)) continue
    const body = method === 'POST' ? Buffer.concat(await request.toArray()) : null
    const type = 'application/x-www-form-urlencoded'
    const { status, body: found } = await fetch(url(settings, port, asked + search), {
      method,
      body,
      headers: { accept: 'application/json', 'content-type': type },
    })
    response.writeHead(status, { 'content-type': 'application/json' })
    if (found) Readable.fromWeb(found).pipe(response)
    else response.end()
    return
  }
  if (method !== 'GET') return end(response, 405, 'this server is read-only: use GET')
  if (pathname === '/boards.json')
    return end(response, 200, `[${[...dashboardsFor(linked(settings)).values()].join(',')}]`)
  const trace = /^\/trace\/(\w+)$/.exec(pathname)?.[1]
  if (trace) {
    const page = await tracePage(settings, trace).catch((error: Error) => error)
    return page instanceof Error ? end(response, 404, page.message) : end(response, 200, page, 'text/html')
  }
  if (/^\/(?:$|d\/|explore$)/.test(pathname))
    return end(response, 200, readFileSync(resolve(ROOT, 'viewer/index.html')), 'text/html')
  // The components request their font and their icons from the paths of a Grafana server.
  if (pathname.startsWith('/public/fonts/')) return end(response, 200, readFileSync(FONT), 'font/woff2')
  const [folder, name] = pathname.startsWith('/public/build/') ? [ICONS, pathname.slice(13)] : [DIST, pathname]
  const file = resolve(folder, `.${name}`)
  const type = TYPES[extname(file)]
  if (!type || !file.startsWith(folder) || !existsSync(file))
    return end(response, 404, `there is nothing at ${pathname}`)
  end(response, 200, readFileSync(file), type)
}

function end(response: ServerResponse, status: number, body: string | Buffer, type = 'text/plain'): void {
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8` }).end(body)
}
