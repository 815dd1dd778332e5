import assert from 'node:assert/strict'
import { platform } from 'node:os'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { execa } from 'execa'
import { ownFolder } from '../own-folder.ts'
import { archiveIn, pack } from './archive.ts'

test('each folder of an archive has an entry before what is in it, and everyone may enter', async () => {
  if (platform() !== 'linux') return // stand-ins are made on Linux only, with GNU tar; makeStandIn refuses elsewhere
  const scratch = ownFolder()
  const recipe = {
    files: { '/opt/deep/program': process.execPath },
    texts: { '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n', '/usr/bin/tool': '#!/bin/sh\n' },
    folders: ['/tmp'],
    owned: ['/var/lib/data'],
    user: '10001:10002',
    changes: ['CMD ["tool"]'],
  }
  const changes = await pack(recipe, scratch, new AbortController().signal)
  assert.deepEqual(changes, ['USER 10001:10002', 'ENV PATH=/usr/local/bin:/usr/bin:/bin', 'CMD ["tool"]'])

  const { stdout } = await execa('tar', ['-tvf', archiveIn(scratch), '--numeric-owner'])
  const entries = stdout.split('\n').map((line) => {
    const [mode = '', owner = '', , , , path = ''] = line.split(/\s+/)
    return { mode, owner, path: path.replace(/\/$/, '') }
  })
  const modes = new Map<string, string>()
  for (const { mode, owner, path } of entries) {
    assert.ok(path === '.' || modes.has(dirname(path)), `${path} comes before its folder`)
    assert.match(mode, mode.startsWith('d') ? /^drwxr.xr.[xt]$/ : /^-r..r..r..$/, path)
    assert.equal(owner, path === './var/lib/data' ? '10001/10002' : '0/0', path)
    modes.set(path, mode)
  }
  assert.equal(modes.get('./tmp'), 'drwxrwxrwt')
  assert.match(modes.get('./usr/bin/tool') ?? '', /^-rwxr.xr.x$/)
  assert.ok(modes.has('./var/lib/data'))
})
