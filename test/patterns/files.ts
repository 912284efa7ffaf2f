import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join, resolve} from 'node:path'
import {gunzipSync} from 'node:zlib'

import {installVenv} from '../engines/install.js'
import {expectSuccess} from '../engines/processes.js'
import {motoCall} from './world.js'

/** moto gives what is not public to whoever has signed, with whatever. */
const headers = {
  authorization: 'AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none',
}

export type StoredFile = {key: string; bytes: Buffer}

/** A bucket and a table of watermarks in moto. */
export async function makeBucketAndTable(url: string, bucket: string, table: string): Promise<void> {
  await fetch(`${url}/${bucket}`, {method: 'PUT', headers})
  await motoCall(url, 'dynamodb', 'CreateTable', {
    TableName: table,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{AttributeName: 'id', AttributeType: 'S'}],
    KeySchema: [{AttributeName: 'id', KeyType: 'HASH'}],
  })
}

/** The files whose names begin so, by name. */
export async function filesOf(url: string, bucket: string, prefix: string): Promise<StoredFile[]> {
  const listed = await (await fetch(`${url}/${bucket}?list-type=2&prefix=${encodeURIComponent(prefix)}`, {headers})).text()
  if (!listed.includes('<IsTruncated>false</IsTruncated>')) throw new Error(`not all files are listed: ${listed.slice(0, 500)}`)
  const keys = [...listed.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key!).sort()
  return Promise.all(
    keys.map(async (key) => {
      const path = key.split('/').map(encodeURIComponent).join('/')
      const response = await fetch(`${url}/${bucket}/${path}`, {headers})
      if (!response.ok) throw new Error(`${key}: ${response.status}`)
      return {key, bytes: Buffer.from(await response.arrayBuffer())}
    }),
  )
}

/** The lines of files of lines. */
export const linesOf = (files: readonly StoredFile[]): any[] =>
  files.flatMap(({bytes}) =>
    gunzipSync(bytes)
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  )

/** The rows of Parquet files as pyarrow reads them, bytes in base64. */
export async function parquetRowsOf(files: readonly StoredFile[]): Promise<any[]> {
  const python = await installVenv('patterns-python', resolve(import.meta.dirname, 'requirements.txt'))
  const dir = await mkdtemp(join(tmpdir(), 'skk-parquet-'))
  try {
    const paths = files.map((_, index) => join(dir, `${index}.parquet`))
    await Promise.all(files.map(({bytes}, index) => writeFile(paths[index]!, bytes)))
    const {stdout} = await expectSuccess(join(python, 'python'), [resolve(import.meta.dirname, 'read-parquet.py'), ...paths])
    return JSON.parse(stdout)
  } finally {
    await rm(dir, {recursive: true, force: true})
  }
}
