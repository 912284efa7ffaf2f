import {describe, expect, it} from 'vitest'

import {manifest} from '../scripts/manifest-of.js'

const {commands} = JSON.parse(await manifest())

/** oclif's own text. */
const isForeign = (name: string) => name === 'json'

describe.each(Object.entries<any>(commands))('%s', (_id, command) => {
  const flags = Object.entries<any>(command.flags)

  it('has an example', () => expect(command.examples ?? []).not.toHaveLength(0))

  it('describes itself, its args and its flags in lowercase fragments', () => {
    const own = flags.filter(([name]) => !isForeign(name)).map(([, flag]) => flag)

    for (const {description, name} of [command, ...Object.values<any>(command.args), ...own]) {
      expect(description, name).toMatch(/^[a-z0-9].*[^.]$|^[A-Z][A-Z]/s)
    }
  })

  it('names its flags in kebab-case', () => {
    for (const [name] of flags) expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
  })

  it('has no flag that eats a positional', () => {
    const greedy = flags.filter(([, flag]) => flag.multiple && !flag.multipleNonGreedy)

    expect(greedy.map(([name]) => name)).toEqual([])
  })

  it('uses short letters only for daily use', () => {
    const short = flags.filter(([, flag]) => flag.char).map(([name, flag]) => `-${flag.char} ${name}`)
    const known = ['-c context', '-f file', '-o output-file', '-y yes']

    expect(short.filter((letter) => !known.includes(letter))).toEqual([])
  })
})
