import zlib from 'node:zlib'

import type {File} from './files.ts'
import {ndjson} from './ndjson.ts'
import {parquet} from './parquet.ts'
import type {ValueKind} from './row.ts'

export type FormatSettings = {format: 'ndjson' | 'parquet'; compression: 'gzip' | 'zstd' | 'none'; value: ValueKind}

/** How files are written. */
export type Format = {extension: string; contentType: string; encode(file: File): Buffer}

/** `zlib` as a whole, because Node 20, on which `skk dev` may run this, has no zstd in it. */
const COMPRESSED = {
  gzip: {suffix: '.gz', contentType: 'application/gzip', compress: (bytes: Uint8Array) => zlib.gzipSync(bytes)},
  zstd: {suffix: '.zst', contentType: 'application/zstd', compress: (bytes: Uint8Array) => zlib.zstdCompressSync(bytes)},
  none: {suffix: '', contentType: 'application/x-ndjson', compress: undefined},
}

/** The same rows are the same bytes each time. What was refused is bytes, whatever values should be. */
export function formatOf({format, compression, value}: FormatSettings): Format {
  const {suffix, contentType, compress} = COMPRESSED[compression]
  const kindOf = ({refused}: File): ValueKind => (refused ? 'bytes' : value)
  if (format === 'parquet') {
    const codec = {name: compression, compress}
    const encode = (file: File) => parquet(file.rows, kindOf(file), codec)
    return {extension: 'parquet', contentType: 'application/vnd.apache.parquet', encode}
  }
  const encode = (file: File) => {
    const text = Buffer.from(ndjson(file.rows, kindOf(file)))
    return compress ? compress(text) : text
  }
  return {extension: `ndjson${suffix}`, contentType, encode}
}
