import {describe, expect, it} from 'vitest'

import {readDetails, readManifest} from '../../../src/lib/esm/manifest.js'

const read = (yaml: string) => readManifest(yaml, 'mappings.yaml')

describe('a manifest', () => {
  it('has every setting, with units, and defaults that a mapping may override', async () => {
    const mappings = await read(`
defaults: {function: f, batchSize: 500, tags: {team: a}, maxAge: 1h}
mappings:
  - topic: a
    group: g
    startingPosition: latest
    batchingWindow: 5s
    filters: ['{"value": {"x": [1]}}', {key: [k]}]
    onFailure: kafka://dead
    pollers: {min: 1, max: 3, group: shared}
    maxRetries: -1
    bisect: true
    reportBatchItemFailures: true
    metrics: [EventCount]
    logLevel: INFO
    tags: {stage: prod}
    enabled: false
  - {topic: b, function: g, batchSize: 1, at: 2026-11-21T10:00:00, cluster: demo}
`)

    expect(mappings).toEqual([
      {
        function: 'f',
        topic: 'a',
        group: 'g',
        startingPosition: 'LATEST',
        settings: {
          batchSize: 500,
          batchingWindowSeconds: 5,
          filters: ['{"value": {"x": [1]}}', '{"key":["k"]}'],
          onFailure: 'kafka://dead',
          pollers: {min: 1, max: 3, group: 'shared'},
          maxRetries: -1,
          maxAgeSeconds: 3600,
          bisect: true,
          reportBatchItemFailures: true,
          metrics: ['EventCount'],
          logLevel: 'INFO',
          enabled: false,
        },
        tags: {team: 'a', stage: 'prod'},
      },
      {
        function: 'g',
        topic: 'b',
        cluster: 'demo',
        startingPosition: 'AT_TIMESTAMP',
        startingTime: '2026-11-21T10:00:00.000Z',
        settings: {batchSize: 1, maxAgeSeconds: 3600},
        tags: {team: 'a'},
      },
    ])
  })

  it.each([
    ['mappings: [{function: f, topic: t, batchsize: 3}]', 'unknown key "batchsize" of mapping 1 in "mappings.yaml"', 'batchSize'],
    ['mapping: []', 'unknown key "mapping" of "mappings.yaml"', 'mappings'],
    ['mappings: [{function: f, topic: t, pollers: {mni: 3}}]', 'unknown key "mni" of pollers of mapping 1', 'min'],
    ['mappings: [{function: f}]', 'mapping 1 in "mappings.yaml" has no topic', 'Write it'],
    [
      'mappings: [{function: f, topic: t, batchSize: many}]',
      'batchSize of mapping 1 in "mappings.yaml" must be a whole number',
      '',
    ],
    ['mappings: [{function: f, topic: t, tags: {"skk:run": x}}]', 'tag "skk:run" of tags of mapping 1', ''],
    ['mappings: {', 'is not YAML', ''],
    ['[]', 'must have "mappings"', ''],
  ])('%s is refused with its place', async (yaml, message, hint) => {
    await expect(read(yaml)).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    })
  })

  it('may be empty', async () => expect(await read('')).toEqual([]))
})

describe('the mapping of a project', () => {
  const where = 'mapping in "skk.project.json"'

  it('is an entry of a manifest without function, topic and cluster', () => {
    expect(
      readDetails({group: 'g', batchSize: 5, filters: [{key: ['k']}], maxAge: '2m', startingPosition: 'latest'}, where),
    ).toEqual({
      group: 'g',
      startingPosition: 'LATEST',
      settings: {batchSize: 5, filters: ['{"key":["k"]}'], maxAgeSeconds: 120},
      tags: {},
    })
  })

  it.each([
    [{batchsize: 5}, 'unknown key "batchsize"', 'Did you mean "batchSize"?'],
    [{cluster: 'prod'}, 'unknown key "cluster"', ''],
    [[], 'must be an object', ''],
  ])('%j is refused', (value, message, hint) => {
    expect(() => readDetails(value, where)).toThrowError(
      expect.objectContaining({exitCode: 2, message: expect.stringContaining(message), hint: expect.stringContaining(hint)}),
    )
  })
})
