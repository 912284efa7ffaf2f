import {mkdirSync, mkdtempSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'

import {startAws} from '../test/aws.ts'

/** The bucket and the table of `npm run local`. When it ends, the files of the bucket are in a directory. */
export async function start() {
  const aws = await startAws()
  const own = {AWS_ENDPOINT_URL_S3: aws.url, AWS_ENDPOINT_URL_DYNAMODB: aws.url, CLAIM_SECONDS: '1'}
  return {
    env: own,
    stop() {
      aws.stop()
      const dir = mkdtempSync(join(tmpdir(), 'files-'))
      for (const [key, bytes] of aws.objects) {
        const file = join(dir, key)
        mkdirSync(dirname(file), {recursive: true})
        writeFileSync(file, bytes)
      }
      console.error(`${aws.objects.size} files are in ${dir}`)
    },
  }
}
