import {createHash, randomBytes, randomUUID} from 'node:crypto'
import {mkdir, readdir, readFile, rename, rm} from 'node:fs/promises'
import {join} from 'node:path'

import {writeAtomically} from '../data-dir.js'
import {FunctionLog} from './function-log.js'
import {type FunctionRecord, type FunctionSettings, type FunctionVersion, qualifiedArn} from './function-record.js'
import type {InvokeResult} from './sandbox.js'
import {type Runnable, Sandboxes, THROTTLED} from './sandboxes.js'
import {unzip} from './zip.js'

export type FunctionsOptions = {
  dataDir: string
  region: string
  accountId: string
  /** How long a function is Pending, and an update of it InProgress. */
  delayMs: number
  /** Credentials, endpoints and what else a function needs to reach the stack. */
  stackEnvironment(): Record<string, string>
  log(line: string): void
}

export type InvokeOptions = {
  payload: Buffer
  qualifier?: string | undefined
  clientContext?: string | undefined
  requestId?: string
}

/** How often Lambda runs a failed asynchronous invocation again, and how long it waits before. */
const EVENT_RETRY_MS = [60_000, 120_000]

/**
 * The functions of a stack, in `functions/NAME` of its data directory: `function.json`, `code/HASH` and `log`. Every change is
 * on disk before it is answered.
 */
export class Functions {
  readonly #options: FunctionsOptions
  readonly #records = new Map<string, FunctionRecord>()
  readonly #sandboxes = new Sandboxes()
  /** Names of functions whose code is being unpacked. */
  readonly #creating = new Set<string>()
  readonly #logs = new Map<string, FunctionLog>()
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor(options: FunctionsOptions) {
    this.#options = options
  }

  list(): FunctionRecord[] {
    return [...this.#records.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  find(name: string): FunctionRecord | undefined {
    return this.#records.get(name)
  }

  /** Whether a function has that name, or is about to. */
  isTaken(name: string): boolean {
    return this.#records.has(name) || this.#creating.has(name)
  }

  /** Reads what is there; code that no version has any more goes. */
  async load(): Promise<void> {
    await mkdir(this.#root(), {recursive: true, mode: 0o700})
    for (const name of await readdir(this.#root())) {
      const text = await readFile(this.#file(name), 'utf8').catch(() => undefined)
      // Without its record a function was being created, or deleted, when the stack ended.
      if (text === undefined) await rm(this.#dir(name), {recursive: true, force: true})
      else await this.#restore(JSON.parse(text) as FunctionRecord)
    }
  }

  async #restore(record: FunctionRecord): Promise<void> {
    record.latest.state = 'Active'
    record.latest.lastUpdateStatus = 'Successful'
    this.#records.set(record.name, record)
    const used = [record.latest, ...record.versions].map(codeName)
    for (const dir of await readdir(join(this.#dir(record.name), 'code')).catch(() => [])) {
      if (!used.includes(dir)) await rm(join(this.#dir(record.name), 'code', dir), {recursive: true, force: true})
    }
  }

  /** @throws ZipError, and then there is no function */
  async create(
    name: string,
    settings: FunctionSettings,
    archive: Buffer,
    rest: {architectures: string[]; tags: Record<string, string>},
  ): Promise<FunctionRecord> {
    const {region, accountId} = this.#options
    this.#creating.add(name)
    const code = await this.#storeCode(name, archive).finally(() => this.#creating.delete(name))
    const latest: FunctionVersion = {
      ...settings,
      ...code,
      version: '$LATEST',
      architectures: rest.architectures,
      lastModified: new Date().toISOString(),
      revisionId: randomUUID(),
      state: 'Pending',
      lastUpdateStatus: 'InProgress',
    }
    const arn = `arn:aws:lambda:${region}:${accountId}:function:${name}`
    const record: FunctionRecord = {name, arn, latest, versions: [], nextVersion: 1, aliases: [], tags: rest.tags}
    this.#records.set(name, record)
    await this.save(record)
    this.#settle(latest)
    return record
  }

  /** @throws ZipError, and then the function is as it was */
  async updateCode(record: FunctionRecord, archive: Buffer): Promise<void> {
    await this.#update(record, await this.#storeCode(record.name, archive))
  }

  async updateSettings(record: FunctionRecord, settings: Partial<FunctionSettings>): Promise<void> {
    await this.#update(record, settings)
  }

  async #update(record: FunctionRecord, change: Partial<FunctionVersion>): Promise<void> {
    this.#sandboxes.retire(keyOf(record, record.latest))
    Object.assign(record.latest, change, {
      lastModified: new Date().toISOString(),
      revisionId: randomUUID(),
      lastUpdateStatus: 'InProgress',
    })
    await this.save(record)
    this.#settle(record.latest)
  }

  /** Publishes `$LATEST`, unless the last published version is the same code and settings. */
  async publish(record: FunctionRecord, description: string | undefined): Promise<FunctionVersion> {
    const last = record.versions.at(-1)
    if (last && fingerprint(last) === fingerprint(record.latest)) return last
    const published: FunctionVersion = {
      ...structuredClone(record.latest),
      version: String(record.nextVersion++),
      description: description ?? record.latest.description,
      revisionId: randomUUID(),
      state: 'Active',
      lastUpdateStatus: 'Successful',
    }
    record.versions.push(published)
    await this.save(record)
    return published
  }

  async deleteVersion(record: FunctionRecord, version: FunctionVersion): Promise<void> {
    record.versions.splice(record.versions.indexOf(version), 1)
    this.#sandboxes.retire(keyOf(record, version))
    await this.save(record)
  }

  async delete(record: FunctionRecord): Promise<void> {
    this.#records.delete(record.name)
    for (const version of [record.latest, ...record.versions]) this.#sandboxes.retire(keyOf(record, version))
    await this.#logs.get(record.name)?.close()
    this.#logs.delete(record.name)
    await rm(this.#file(record.name), {force: true})
    await rm(this.#dir(record.name), {recursive: true, force: true})
  }

  save(record: FunctionRecord): Promise<void> {
    return writeAtomically(this.#file(record.name), `${JSON.stringify(record, null, 2)}\n`)
  }

  /** The invocation's result, or THROTTLED when too many run. */
  invoke(record: FunctionRecord, version: FunctionVersion, options: InvokeOptions): Promise<InvokeResult | typeof THROTTLED> {
    const {payload, clientContext, qualifier, requestId = randomUUID()} = options
    return this.#sandboxes.invoke(this.#runnable(record, version, qualifier), {requestId, payload, clientContext})
  }

  /** Runs it in the background, and after an error of the function up to two times more. */
  invokeLater(record: FunctionRecord, version: FunctionVersion, options: InvokeOptions, attempt = 0): void {
    const again = () => {
      const delay = EVENT_RETRY_MS[attempt]
      if (delay !== undefined) this.#later(delay, () => this.invokeLater(record, version, options, attempt + 1))
    }
    this.invoke(record, version, options)
      .then((result) => {
        if (result === THROTTLED || result.functionError) again()
      })
      .catch((error: Error) => this.#options.log(`error: function ${record.name}: ${error.message}`))
  }

  #runnable(record: FunctionRecord, version: FunctionVersion, qualifier: string | undefined): Runnable {
    const codeDir = join(this.#dir(record.name), 'code', codeName(version))
    const log = this.#logOf(record.name)
    return {
      key: keyOf(record, version),
      functionArn: qualifiedArn(record, qualifier),
      version: version.version,
      runtime: version.runtime,
      timeoutMs: version.timeout * 1000,
      memoryMb: version.memorySize,
      codeDir,
      environment: this.#environmentOf(record, version, codeDir),
      log: (line) => log.write(line),
    }
  }

  /** What AWS documents as a function's environment; nothing of the user's own, above all no credentials. */
  #environmentOf({name}: FunctionRecord, version: FunctionVersion, codeDir: string): Record<string, string> {
    const {region} = this.#options
    const {SystemRoot} = process.env
    return {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      ...(SystemRoot !== undefined && {SystemRoot}),
      LANG: 'en_US.UTF-8',
      TZ: ':UTC',
      HOME: codeDir,
      ...this.#options.stackEnvironment(),
      ...version.environment,
      AWS_CONFIG_FILE: join(codeDir, '.aws', 'config'),
      AWS_SHARED_CREDENTIALS_FILE: join(codeDir, '.aws', 'credentials'),
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_EXECUTION_ENV: `AWS_Lambda_${version.runtime}`,
      AWS_LAMBDA_FUNCTION_NAME: name,
      AWS_LAMBDA_FUNCTION_VERSION: version.version,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(version.memorySize),
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
      AWS_LAMBDA_LOG_STREAM_NAME: `${new Date().toISOString().slice(0, 10).replaceAll('-', '/')}/[${version.version}]${randomBytes(16).toString('hex')}`,
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      LAMBDA_TASK_ROOT: codeDir,
      _HANDLER: version.handler,
    }
  }

  #logOf(name: string): FunctionLog {
    const log = this.#logs.get(name) ?? new FunctionLog(join(this.#dir(name), 'log'))
    this.#logs.set(name, log)
    return log
  }

  async #storeCode(name: string, archive: Buffer): Promise<Pick<FunctionVersion, 'codeSha256' | 'codeSize'>> {
    const code = {codeSha256: createHash('sha256').update(archive).digest('base64'), codeSize: archive.length}
    const root = join(this.#dir(name), 'code')
    const dir = join(root, codeName(code))
    const temporary = join(root, `${randomBytes(8).toString('hex')}.tmp`)
    await mkdir(temporary, {recursive: true, mode: 0o700})
    try {
      await unzip(archive, temporary)
      await rename(temporary, dir).catch((error: NodeJS.ErrnoException) => {
        if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code ?? '')) throw error
      })
    } finally {
      await rm(temporary, {recursive: true, force: true})
      if (!this.#records.has(name)) await this.#removeEmpty(name)
    }
    return code
  }

  /** A refused archive leaves no directory of a function that never was. */
  async #removeEmpty(name: string): Promise<void> {
    const left = await readdir(join(this.#dir(name), 'code'))
    if (left.length === 0) await rm(this.#dir(name), {recursive: true, force: true})
  }

  #settle(version: FunctionVersion): void {
    const {revisionId} = version
    this.#later(this.#options.delayMs, () => {
      if (version.revisionId !== revisionId) return
      version.state = 'Active'
      version.lastUpdateStatus = 'Successful'
    })
  }

  #later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
  }

  /** Kills what runs. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    await this.#sandboxes.close()
    await Promise.all([...this.#logs.values()].map((log) => log.close()))
  }

  #root = (): string => join(this.#options.dataDir, 'functions')
  #dir = (name: string): string => join(this.#root(), name)
  #file = (name: string): string => join(this.#dir(name), 'function.json')
}

/** Base64 has characters that no directory may have. */
const codeName = ({codeSha256}: Pick<FunctionVersion, 'codeSha256'>): string => Buffer.from(codeSha256, 'base64').toString('hex')

const keyOf = ({arn}: FunctionRecord, {version, revisionId}: FunctionVersion): string => `${arn}:${version}:${revisionId}`

const fingerprint = ({codeSha256, runtime, handler, role, timeout, memorySize, environment}: FunctionVersion): string =>
  JSON.stringify([codeSha256, runtime, handler, role, timeout, memorySize, environment])
