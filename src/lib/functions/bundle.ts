import {createRequire} from 'node:module'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'

import {SkkError} from '../errors.js'

/** The part of esbuild's interface that is used here. */
type Esbuild = {
  build(options: Record<string, unknown>): Promise<{outputFiles: {contents: Uint8Array}[]}>
}

/** CommonJS packages ask for Node's modules with `require`, which an ES module does not have (esbuild #1921). */
const BANNER = "import {createRequire as skkCreateRequire} from 'node:module'; const require = skkCreateRequire(import.meta.url);"

/**
 * The project's own esbuild; undefined when it has none. It is not a dependency of skk: it comes with an install script, so that
 * the project decides about it.
 */
export async function findEsbuild(dir: string): Promise<Esbuild | undefined> {
  let path: string
  try {
    path = createRequire(join(dir, 'package.json')).resolve('esbuild')
  } catch {
    return undefined
  }
  const {build, default: common} = (await import(pathToFileURL(path).href)) as Partial<Esbuild> & {default?: Esbuild}
  return build ? {build} : common
}

/** `file` of `dir` and everything it imports, as one ES module. Throws SkkError (local I/O) with the first error and its place. */
export async function bundle(esbuild: Esbuild, dir: string, file: string): Promise<Buffer> {
  try {
    const {outputFiles} = await esbuild.build({
      absWorkingDir: dir,
      entryPoints: [`./${file}`],
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node22',
      banner: {js: BANNER},
      write: false,
      logLevel: 'silent',
    })
    return Buffer.from(outputFiles[0]!.contents)
  } catch (error) {
    throw new SkkError(`cannot bundle "${file}": ${firstError(error)}`, {
      code: 'BUNDLE_FAILED',
      exit: 'localIo',
      hint: 'Correct it, then run the same command again.',
      cause: error,
    })
  }
}

function firstError(error: unknown): string {
  const {errors, message} = error as {errors?: {text: string; location: {file: string; line: number} | null}[]; message: string}
  const first = errors?.[0]
  if (!first) return message
  return `${first.text}${first.location ? ` (${first.location.file}:${first.location.line})` : ''}`
}
