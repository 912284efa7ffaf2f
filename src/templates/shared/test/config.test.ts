import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import {readConfig} from '../../src/lib/config.ts'

describe('readConfig', () => {
  it('reads what is there and takes defaults for the rest', () => {
    const env = {URL: 'u', MODE: 'b', SIZE: '7', ON: 'false', MAP: '{"a":"b"}', EMPTY: ''}

    const config = readConfig(env, (from) => [
      from.text('URL'),
      from.oneOf('MODE', ['a', 'b']),
      from.integer('SIZE', {min: 1, max: 9}),
      from.flag('ON', true),
      from.texts('MAP'),
      from.text('EMPTY', 'or'),
      from.integer('ABSENT', {min: 1, max: 9, or: 3}),
    ])

    assert.deepEqual(config, ['u', 'b', 7, false, {a: 'b'}, 'or', 3])
  })

  it('names all that is wrong at once, and quotes no value', () => {
    const env = {MODE: 'secret-1', SIZE: 'secret-2', ON: 'secret-3', MAP: '["secret-4"]'}

    const reading = () =>
      readConfig(env, (from) => {
        from.text('URL')
        from.oneOf('MODE', ['a', 'b'])
        from.integer('SIZE', {min: 1, max: 9})
        from.flag('ON', true)
        from.texts('MAP')
        from.complain('and more')
      })

    assert.throws(reading, ({message}: Error) => {
      for (const name of ['URL is missing', 'MODE', 'SIZE', 'ON', 'MAP', 'and more']) assert.match(message, new RegExp(name))
      assert.doesNotMatch(message, /secret/)
      return true
    })
  })
})
