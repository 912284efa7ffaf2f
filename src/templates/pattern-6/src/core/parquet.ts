import {parquetWriteBuffer} from 'hyparquet-writer'

import {type Row, textOf, type ValueKind} from './row.ts'

type Codec = {name: 'gzip' | 'zstd' | 'none'; compress: ((bytes: Uint8Array) => Uint8Array) | undefined}

const TEXT = {type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: {type: 'STRING'}} as const
const REQUIRED = {repetition_type: 'REQUIRED'} as const
const OPTIONAL = {repetition_type: 'OPTIONAL'} as const

/** As Parquet has it: a flat list, in which a group says how many of those after it are its own. */
const schemaOf = (value: ValueKind) =>
  [
    {name: 'record', num_children: 7},
    {name: 'topic', ...TEXT, ...REQUIRED},
    {name: 'partition', type: 'INT32', ...REQUIRED},
    {name: 'offset', type: 'INT64', ...REQUIRED},
    {
      name: 'timestamp',
      type: 'INT64',
      converted_type: 'TIMESTAMP_MILLIS',
      logical_type: {type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS'},
      ...REQUIRED,
    },
    {name: 'key', type: 'BYTE_ARRAY', ...OPTIONAL},
    {name: 'value', ...(value === 'json' ? TEXT : {type: 'BYTE_ARRAY' as const}), ...OPTIONAL},
    {name: 'headers', converted_type: 'LIST', logical_type: {type: 'LIST'}, num_children: 1, ...REQUIRED},
    {name: 'list', repetition_type: 'REPEATED', num_children: 1},
    {name: 'element', num_children: 2, ...REQUIRED},
    {name: 'name', ...TEXT, ...REQUIRED},
    {name: 'value', type: 'BYTE_ARRAY', ...REQUIRED},
  ] as const

const CODECS = {gzip: 'GZIP', zstd: 'ZSTD', none: 'UNCOMPRESSED'} as const

/**
 * A Parquet file with the columns topic, partition, offset, timestamp, key, value and headers. Keys and values are bytes or null; a
 * value that is a JSON text is a text.
 */
export function parquet(rows: readonly Row[], value: ValueKind, {name, compress}: Codec): Buffer {
  const codec = CODECS[name]
  const column = <Value>(name: string, of: (row: Row) => Value) => ({name, data: rows.map(of)})
  const bytes = parquetWriteBuffer({
    schema: [...schemaOf(value)],
    columnData: [
      column('topic', (row) => row.topic),
      column('partition', (row) => row.partition),
      column('offset', (row) => BigInt(row.offset)),
      column('timestamp', (row) => BigInt(row.timestamp)),
      column('key', (row) => row.key),
      column('value', (row) => (value === 'json' && row.value !== null ? textOf(row.value) : row.value)),
      column('headers', (row) => row.headers.map(([name, value]) => ({name, value}))),
    ],
    codec,
    ...(compress && {compressors: {[codec]: compress}}),
  })
  return Buffer.from(bytes)
}
