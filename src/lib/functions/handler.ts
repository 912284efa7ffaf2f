import {existsSync} from 'node:fs'
import {join} from 'node:path'

import {SkkError} from '../errors.js'

/** Where a function begins. */
export type Handler = {
  /** With slashes, below the directory: `src/handler.ts`. */
  file: string
  /** As Lambda names it: `src/handler.handler`. */
  name: string
}

const JAVASCRIPT = ['.mjs', '.js', '.cjs']
const TYPESCRIPT = ['.ts', '.mts', '.cts']
const USUAL = ['index', 'handler', 'src/index', 'src/handler']

export const isTypeScript = (file: string): boolean => TYPESCRIPT.some((extension) => file.endsWith(extension))

/**
 * The handler of `dir`: the one that was named (`path.export`), else the export `handler` of index or handler, there or in src.
 * Sources win over what was compiled from them when they can be bundled. Throws SkkError: usage, not found.
 */
export function findHandler(dir: string, named: string | undefined, canBundle: boolean): Handler {
  const extensions = canBundle ? [...TYPESCRIPT, ...JAVASCRIPT] : [...JAVASCRIPT, ...TYPESCRIPT]
  const fileOf = (path: string) => extensions.map((extension) => path + extension).find((file) => existsSync(join(dir, file)))
  if (named === undefined) {
    const path = USUAL.find(fileOf)
    if (path !== undefined) return {file: fileOf(path)!, name: `${path}.handler`}
    throw new SkkError(`no handler in "${dir}"`, {
      code: 'HANDLER_NOT_FOUND',
      exit: 'notFound',
      hint: `Name it with \`--handler src/handler.handler\`, or export \`handler\` from one of ${USUAL.join(', ')}.`,
    })
  }
  const [, path] = /^((?:[^./][^/]*\/)*[^./][^/]*)\.[^./]+$/.exec(named) ?? []
  if (path === undefined) {
    throw new SkkError(`"${named}" names no handler`, {
      code: 'USAGE',
      exit: 'usage',
      hint: 'Write the path below the directory, without its extension, and the export, as in `--handler src/handler.handler`.',
    })
  }
  const file = fileOf(path)
  if (file !== undefined) return {file, name: named}
  throw new SkkError(`no file for handler "${named}" in "${dir}"`, {
    code: 'HANDLER_NOT_FOUND',
    exit: 'notFound',
    hint: `It would be one of ${extensions.map((extension) => `${path}${extension}`).join(', ')}; name another with \`--handler\`.`,
  })
}
