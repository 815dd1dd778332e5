import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { execa } from 'execa'

/** What a stand-in has in common with the real image: who runs it, what it starts, and which folders it may write. */
export type Recipe = Readonly<{
  /** Path in the image → path on this machine: files, and folders with all in them. */
  files: Readonly<Record<string, string>>
  /** Path in the image → its text. */
  texts?: Readonly<Record<string, string>>
  /** Programs and libraries of this machine whose own libraries are needed as well. */
  linked?: readonly string[]
  folders?: readonly string[]
  /** Folders that belong to `user`, which a fresh volume takes over. */
  owned?: readonly string[]
  /** In numbers, user or user:group. */
  user: string
  changes: readonly string[]
}>

/** Where `pack` puts the archive. */
export const archiveIn = (scratch: string): string => join(scratch, 'image.tar')

/**
 * Lays the files out as links and packs what they point to, so that no base image is needed. Answers the lines of a
 * Dockerfile that the image needs as well.
 */
export async function pack(
  { files, texts = {}, linked = [], folders = [], owned = [], user, changes }: Recipe,
  scratch: string,
  cancel: AbortSignal,
): Promise<readonly string[]> {
  const root = join(scratch, 'root')
  const data = join(scratch, 'data')
  const packed = Object.values(files)
  const needed = (await libraries(linked)).filter((path) => !packed.some((whole) => path.startsWith(`${whole}/`)))
  for (const folder of [root, data]) mkdirSync(folder, { recursive: true })
  for (const [inside, path] of [...Object.entries(files), ...needed.map((path) => [path, path] as const)]) {
    mkdirSync(join(root, dirname(inside)), { recursive: true })
    symlinkSync(path, join(root, inside))
  }
  for (const [inside, text] of Object.entries(texts)) {
    mkdirSync(join(root, dirname(inside)), { recursive: true })
    writeFileSync(join(root, inside), text)
    if (text.startsWith('#!')) chmodSync(join(root, inside), 0o755)
  }
  for (const folder of folders) {
    mkdirSync(join(root, folder), { recursive: true })
    if (basename(folder) === 'tmp') chmodSync(join(root, folder), 0o1777)
  }
  for (const folder of owned) {
    mkdirSync(join(data, folder), { recursive: true })
    // Its parents need entries of their own: the engine makes a missing one with mode 0600, so that its owner cannot
    // get in. Last seen with 20.10.24.
    mkdirSync(join(root, dirname(folder)), { recursive: true })
  }

  const tar = (flag: string, from: string, paths: readonly string[], uid: string, gid = uid) => {
    const owner = ['--numeric-owner', `--owner=${uid}`, `--group=${gid}`]
    const words = [flag, archiveIn(scratch), '--dereference', '--mode=a+rX', ...owner, '-C', from, ...paths]
    return execa('tar', words, { cancelSignal: cancel })
  }
  await tar('-cf', root, ['.'], '0')
  const [uid = '0', gid = uid] = user.split(':')
  const theirs = owned.map((folder) => `.${folder}`)
  if (theirs.length > 0) await tar('-rf', data, theirs, uid, gid)

  const search = [...new Set(needed.map((path) => dirname(path)))].join(':')
  return [
    `USER ${user}`,
    ...(search ? [`ENV LD_LIBRARY_PATH=${search}`] : []),
    'ENV PATH=/usr/local/bin:/usr/bin:/bin',
    ...changes,
  ]
}

/** The shared libraries these load, and the loader. */
async function libraries(files: readonly string[]): Promise<readonly string[]> {
  if (files.length === 0) return []
  const { stdout } = await execa('ldd', files, { reject: false, stderr: 'ignore', maxBuffer: 100_000_000 })
  return [...new Set([...stdout.matchAll(/(?:^|\s)(\/\S+) \(0x/gm)].flatMap(([, path]) => (path ? [path] : [])))]
}
