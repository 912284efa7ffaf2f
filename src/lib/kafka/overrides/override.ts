import {createHash} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {createRequire} from 'node:module'

const require = createRequire(import.meta.url)

/** The one version whose internals were read. */
export const KAFKAJS_VERSION = '2.2.4'

export const kafkajsVersion = (): string => require('kafkajs/package.json').version

/**
 * The exports of a file of kafkajs, to change them in place; null when it is not the file that was read (another version,
 * or a patched one: its SHA-256 differs), and then nothing may be overridden.
 */
export function internals(file: string, sha256: string): any {
  if (kafkajsVersion() !== KAFKAJS_VERSION) return null
  const path = require.resolve(`kafkajs/${file}`)
  if (createHash('sha256').update(readFileSync(path)).digest('hex') !== sha256) return null
  return require(path)
}

/** Puts something in the place of what a file of kafkajs exports, for modules that are loaded later. False under the same conditions. */
export function replaceExports<Exports>(file: string, sha256: string, replace: (original: Exports) => Exports): boolean {
  const original = internals(file, sha256)
  if (original === null) return false
  require.cache[require.resolve(`kafkajs/${file}`)]!.exports = replace(original)
  return true
}
