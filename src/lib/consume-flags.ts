import {Flags} from '@oclif/core'

import {VALUE_KINDS} from './kafka/consume/value.js'

/** What `--show` names, in the letters of `--template`. */
export const SHOWN = {partition: '%p', offset: '%o', timestamp: '%D', key: '%k', headers: '%h'} as const

/** Which records. */
export const rangeFlags = {
  from: Flags.string({description: 'where to begin (default beginning, with --follow end)', helpValue: '<place>'}),
  to: Flags.string({description: 'where to stop', helpValue: '<place>'}),
  tail: Flags.integer({description: 'the same as --from -N: the last N of each partition', min: 1, exclusive: ['from']}),
  partition: Flags.integer({
    description: 'partition to read, once for each (default all)',
    multiple: true,
    multipleNonGreedy: true,
    min: 0,
  }),
  limit: Flags.integer({description: 'stop after so many written records', min: 1}),
  follow: Flags.boolean({description: 'go on with what is written from now on'}),
  'on-gap': Flags.option({
    options: ['fail', 'skip'] as const,
    default: 'fail' as const,
    description: 'what to do where retention has taken what is to be read',
  })(),
}

/** Of those, which ones. */
export const filterFlags = {
  where: Flags.string({
    description:
      'filter pattern as for an event-source mapping, of value, key, headers, partition, offset, timestamp; any of several',
    helpValue: '<pattern>',
    multiple: true,
    multipleNonGreedy: true,
  }),
  grep: Flags.string({description: 'regular expression (RE2) to be found in the value or the key', helpValue: '<regex>'}),
}

/** How they are written. */
export const formatFlags = {
  value: Flags.option({
    options: VALUE_KINDS,
    default: 'string' as const,
    description: 'how values are written; json: as JSON on one line where they are JSON',
  })(),
  delimiter: Flags.string({
    description: 'what follows each value, such as \\0 (default \\n)',
    exclusive: ['template', 'csv', 'json', 'query'],
  }),
  show: Flags.string({
    description: `what to write before each value, separated by tabs: ${Object.keys(SHOWN).join(', ')}`,
    helpValue: '<parts>',
    exclusive: ['template', 'csv', 'json', 'query'],
  }),
  template: Flags.string({
    description: "kcat's template: %t %p %o %k %s %h %T %S %K %R, %D for the time in ISO 8601, \\n \\t \\xHH; nothing is added",
    helpValue: '<template>',
    exclusive: ['csv', 'json', 'query'],
  }),
  csv: Flags.boolean({description: 'lines for a spreadsheet, under the names of the columns', exclusive: ['json', 'query']}),
}

/** Where reading goes on the next time. */
export const stateFlags = {
  group: Flags.string({
    description: 'join this consumer group, go on after what it has committed, and commit what was written',
    exclusive: ['partition'],
    helpValue: '<id>',
  }),
  'output-file': Flags.string({char: 'o', description: 'file to write to, instead of standard output'}),
  checkpoint: Flags.string({
    description:
      'file that is kept in step with the output file: after a crash, the same command goes on without loss or repetition',
    helpValue: '<file>',
    dependsOn: ['output-file'],
    exclusive: ['group'],
  }),
}
