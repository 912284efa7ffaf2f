import {describe, expect, it} from 'vitest'

import {fill, fillAll, holds} from '../../../src/lib/scaffold/fill.js'

const answers = {name: 'orders', iac: 'sam', empty: '', url: 'https://api.example.com:8443/x', runtime: 'nodejs22.x'}

describe('fill', () => {
  it('puts answers in the place of their names', () => {
    expect(fill('a {{name}} {{url.host}} node{{node}} {topic}', answers)).toBe('a orders api.example.com node22 {topic}')
  })

  it('keeps a part when its condition holds, in the comments of any language, and drops the marks', () => {
    const text = [
      '# {{#iac=sam}}',
      'sam',
      '# {{/iac=sam}}',
      '  // {{#iac!=sam}}',
      'not',
      '  // {{/iac!=sam}}',
      '<!-- {{#empty}} -->',
      'e',
      '<!-- {{/empty}} -->',
      '',
    ]

    expect(fill(text.join('\n'), answers)).toBe('sam\n')
  })

  it('drops a part inside a part that is dropped', () => {
    expect(fill('{{#empty}}\n{{#name}}\nx\n{{/name}}\n{{/empty}}\ny', answers)).toBe('y')
  })

  it('fails for a mistake of the template', () => {
    expect(() => fill('{{absent}}', answers)).toThrow('no answer "absent"')
    expect(() => fill('{{constructor}}', answers)).toThrow('no answer')
    expect(() => fill('{{#name}}\nx', answers)).toThrow('not closed')
    expect(() => fill('{{#name}}\n{{#iac}}\n{{/name}}', answers)).toThrow('does not close')
  })
})

it('a condition is equality, its opposite, or an answer that is not empty', () => {
  expect(['iac=sam', 'iac!=cdk', 'name'].map((one) => holds(one, answers))).toEqual([true, true, true])
  expect(['iac=cdk', 'iac!=sam', 'empty'].map((one) => holds(one, answers))).toEqual([false, false, false])
})

it('texts in JSON are filled at any depth, and nothing else is touched', () => {
  expect(fillAll({a: ['{{name}}', 1, null], b: {c: true}}, answers)).toEqual({a: ['orders', 1, null], b: {c: true}})
})
