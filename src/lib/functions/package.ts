import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readdir, readFile, stat} from 'node:fs/promises'
import {join} from 'node:path'

import {SkkError} from '../errors.js'
import {bundle, findEsbuild} from './bundle.js'
import {findHandler, type Handler, isTypeScript} from './handler.js'
import {type ZipFile, zip} from './zip.js'

/** The code of a function, ready to be uploaded. */
export type Package = {
  zip: Buffer
  /** SHA-256 in base64, as Lambda tells it of what it has. */
  sha256: string
  /** As Lambda names it; undefined when an archive came as it was. */
  handler: string | undefined
  /** Undefined when an archive came as it was. */
  files: number | undefined
  bundled: boolean
}

/** Lambda quotas, as of 2026-11-20: zipped and uploaded directly; unzipped; what `skk local` unpacks at most. */
const ZIPPED_BYTES = 50 * 1024 * 1024
const UNZIPPED_BYTES = 262_144_000
const FILES = 10_000

/** Packages that Lambda's Node runtimes bring along. */
const IN_THE_RUNTIME = /^@(?:aws-sdk|smithy)\//

/**
 * The package of a directory, bundled when the project has an esbuild, or an archive as it is. The same files give the same
 * bytes. Throws SkkError: usage when it needs an esbuild that is not there, not found, local I/O.
 */
export async function packageFunction(path: string, named?: string): Promise<Package> {
  const found = await stat(path).catch(() => undefined)
  if (!found) throw new SkkError(`there is no "${path}"`, {code: 'NO_SUCH_FILE', exit: 'notFound'})
  if (found.isFile()) return packed(await readFile(path), {handler: named, files: undefined, bundled: false})

  const esbuild = await findEsbuild(path)
  const handler = findHandler(path, named, esbuild !== undefined)
  if (esbuild) {
    const content = await bundle(esbuild, path, handler.file)
    const file = {name: `${handler.name.slice(0, handler.name.lastIndexOf('.'))}.mjs`, content}
    return packed(await zip([file]), {handler: handler.name, files: 1, bundled: true})
  }
  await refuseWithoutBundle(path, handler)
  const files = await filesOf(path)
  return packed(await zip(files), {handler: handler.name, files: files.length, bundled: false})
}

function packed(content: Buffer, rest: Omit<Package, 'zip' | 'sha256'>): Package {
  if (content.length > ZIPPED_BYTES) throw tooLarge(`${content.length} bytes zipped; Lambda takes ${ZIPPED_BYTES} in a request`)
  return {zip: content, sha256: createHash('sha256').update(content).digest('base64'), ...rest}
}

/** Throws SkkError (usage) when the function could not run as its files are. */
async function refuseWithoutBundle(dir: string, {file}: Handler): Promise<void> {
  if (isTypeScript(file)) throw needsEsbuild(dir, `"${file}" is TypeScript`)
  const dependencies = await dependenciesOf(dir)
  if (dependencies.length > 0)
    throw needsEsbuild(dir, `"${file}" may import ${dependencies.map((name) => `"${name}"`).join(', ')}`)
}

/** Exit 2: the project has to decide about a package with an install script. */
export function needsEsbuild(dir: string, why: string): SkkError {
  const where = dir === '.' || dir === process.cwd() ? '' : ` --prefix ${dir}`
  return new SkkError(`${why}, and the project has no esbuild to bundle it with`, {
    code: 'ESBUILD_MISSING',
    exit: 'usage',
    hint: `Run \`npm install --save-dev esbuild${where}\`, then the same command again.`,
  })
}

async function dependenciesOf(dir: string): Promise<string[]> {
  const file = join(dir, 'package.json')
  if (!existsSync(file)) return []
  try {
    const {dependencies = {}} = JSON.parse(await readFile(file, 'utf8')) as {dependencies?: Record<string, string>}
    return Object.keys(dependencies).filter((name) => !IN_THE_RUNTIME.test(name))
  } catch (error) {
    throw new SkkError(`cannot read "${file}": ${(error as Error).message}`, {
      code: 'PROJECT_FILE',
      exit: 'localIo',
      cause: error,
    })
  }
}

/** All of a directory but hidden files, links and what npm installed. */
async function filesOf(dir: string): Promise<ZipFile[]> {
  const files: ZipFile[] = []
  let bytes = 0
  const walk = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(dir, below), {withFileTypes: true})) {
      const name = below === '' ? entry.name : `${below}/${entry.name}`
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue
      if (entry.isDirectory()) await walk(name)
      if (!entry.isFile()) continue
      const content = await readFile(join(dir, name))
      bytes += content.length
      if (bytes > UNZIPPED_BYTES) throw tooLarge(`more than ${UNZIPPED_BYTES} bytes unzipped`)
      if (files.push({name, content}) > FILES) throw tooLarge(`more than ${FILES} files`)
    }
  }
  await walk('')
  return files
}

const tooLarge = (what: string): SkkError =>
  new SkkError(`the function is too large: ${what}`, {
    code: 'FUNCTION_TOO_LARGE',
    exit: 'usage',
    hint: 'Name a directory that holds the function alone, or bundle it: `npm install --save-dev esbuild`.',
  })
