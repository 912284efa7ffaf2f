import {readdirSync} from 'node:fs'
import {resolve} from 'node:path'

import type {Command} from '@oclif/core'
import {describe, expect, it} from 'vitest'

/** From the sources: the manifest does not keep all that a flag says (`multipleNonGreedy`). */
const paths = readdirSync('src/commands', {recursive: true, encoding: 'utf8'})
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replaceAll('\\', '/').replace(/\.ts$/, ''))

/** oclif's own flag, with its own text. */
const isForeign = (name: string) => name === 'json'

describe.each(paths)('%s', async (path) => {
  const {default: command}: {default: typeof Command} = await import(resolve('src/commands', `${path}.ts`))
  const flags = Object.entries({...command.baseFlags, ...command.flags}).filter(([name]) => !isForeign(name))

  it('has an example', () => expect(command.examples ?? []).not.toHaveLength(0))

  it('describes itself, its args and its flags in lowercase fragments', () => {
    for (const {description} of [command, ...Object.values(command.args), ...flags.map(([, flag]) => flag)]) {
      expect(description).toMatch(/^(?:[a-z0-9]|[A-Z]{2}).*[^.]$/s)
    }
  })

  it('names its flags in kebab-case', () => {
    for (const [name] of flags) expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
  })

  it('has no flag that eats a positional', () => {
    const greedy = flags.filter(([, flag]) => flag.type === 'option' && flag.multiple && !flag.multipleNonGreedy)

    expect(greedy.map(([name]) => name)).toEqual([])
  })

  it('uses short letters only for daily use', () => {
    const daily = ['-c context', '-f file', '-o output-file', '-y yes']
    const short = flags.filter(([, flag]) => flag.char).map(([name, flag]) => `-${flag.char} ${name}`)

    expect(short.filter((letter) => !daily.includes(letter))).toEqual([])
  })

  it('takes at most one kind of positional', () => {
    const allowed = path === 'scaffold' ? 2 : 1

    expect(Object.keys(command.args).length).toBeLessThanOrEqual(allowed)
  })
})
