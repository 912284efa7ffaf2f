import {readdir, readFile} from 'node:fs/promises'

/** The processes that run a function, by the variable that Lambda gives them. */
export async function sandboxesOf(name: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))
  const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')))
  return pids.filter((_, index) => environments[index]!.split('\0').includes(`AWS_LAMBDA_FUNCTION_NAME=${name}`)).map(Number)
}
