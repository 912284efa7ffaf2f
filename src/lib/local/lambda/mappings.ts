import {randomUUID} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {writeAtomically} from '../data-dir.js'
import {MappingMetrics} from './mapping-metrics.js'
import {
  type MappingRecord,
  type MappingSettings,
  type MappingState,
  type NewMapping,
  NOTHING_PROCESSED,
} from './mapping-record.js'
import {type RunnerOptions, runMapping} from './mapping-runner.js'

export type MappingsOptions = Omit<RunnerOptions, 'destinationsDir' | 'metrics'> & {
  dataDir: string
  /** How long each state lasts that is on its way to another, and how long an enabled mapping waits before it polls. */
  delayMs: number
}

type Run = {stop: AbortController; ended: Promise<void>}

/**
 * The event-source mappings of a stack, in `mappings.json` of its data directory, and what runs for each that is Enabled. Every
 * change is on disk before it is answered; a stack that starts again goes on where the groups have committed.
 */
export class Mappings {
  readonly #options: MappingsOptions
  readonly #records = new Map<string, MappingRecord>()
  readonly #metrics = new Map<string, MappingMetrics>()
  readonly #runs = new Map<string, Run>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #saving: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: MappingsOptions) {
    this.#options = options
  }

  list(): MappingRecord[] {
    return [...this.#records.values()]
  }

  find(uuid: string): MappingRecord | undefined {
    return this.#records.get(uuid)
  }

  /** What its poller has counted since the stack started. */
  metricsOf(uuid: string): MappingMetrics {
    const known = this.#metrics.get(uuid)
    if (known) return known
    const metrics = new MappingMetrics()
    this.#metrics.set(uuid, metrics)
    return metrics
  }

  /** Reads what is there, and starts nothing yet; what was on its way out is gone. */
  async load(): Promise<void> {
    const text = await readFile(this.#file(), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '[]'
      throw error
    })
    for (const record of JSON.parse(text) as MappingRecord[]) {
      if (record.state === 'Deleting') continue
      record.state = record.enabled ? 'Enabled' : 'Disabled'
      this.#records.set(record.uuid, record)
    }
  }

  /** Starts every mapping that is enabled. */
  resume(): void {
    for (const record of this.list()) this.#start(record)
  }

  /** The caller has validated everything. The record is in `list()` before this function first waits. */
  async create(mapping: NewMapping): Promise<MappingRecord> {
    const {region, accountId, delayMs} = this.#options
    const uuid = randomUUID()
    const record: MappingRecord = {
      ...mapping,
      uuid,
      arn: `arn:aws:lambda:${region}:${accountId}:event-source-mapping:${uuid}`,
      groupId: mapping.groupId ?? uuid,
      state: 'Creating',
      lastModified: Date.now(),
      lastProcessingResult: NOTHING_PROCESSED,
    }
    this.#records.set(uuid, record)
    await this.#save()
    this.#later(delayMs, () => this.#settle(record, 'Creating'))
    return record
  }

  async update(record: MappingRecord, settings: Partial<MappingSettings>): Promise<void> {
    const enabled = settings.enabled ?? record.enabled
    record.state = enabled === record.enabled ? 'Updating' : enabled ? 'Enabling' : 'Disabling'
    const {state} = record
    Object.assign(record, settings, {lastModified: Date.now()})
    await this.#save()
    // The poller goes on with the old settings until it has stopped: it was given its rules at its start.
    void this.#stop(record.uuid).then(() => this.#later(this.#options.delayMs, () => this.#settle(record, state)))
  }

  async delete(record: MappingRecord): Promise<void> {
    record.state = 'Deleting'
    record.lastModified = Date.now()
    await this.#save()
    void this.#stop(record.uuid).then(() =>
      this.#later(this.#options.delayMs, () => {
        this.#records.delete(record.uuid)
        this.#metrics.delete(record.uuid)
        this.#save().catch((error: Error) => this.#options.log(`error: mappings: ${error.message}`))
      }),
    )
  }

  async setTags(record: MappingRecord, tags: Record<string, string>): Promise<void> {
    record.tags = tags
    await this.#save()
  }

  /** Ends the state `from`. Enabled comes before polling, as in Lambda. */
  #settle(record: MappingRecord, from: MappingState): void {
    if (record.state !== from) return
    record.state = record.enabled ? 'Enabled' : 'Disabled'
    this.#save().catch((error: Error) => this.#options.log(`error: mappings: ${error.message}`))
    if (record.enabled) this.#later(this.#options.delayMs, () => this.#start(record))
  }

  #start(record: MappingRecord): void {
    if (this.#closed || record.state !== 'Enabled' || this.#runs.has(record.uuid)) return
    const stop = new AbortController()
    const destinationsDir = join(this.#options.dataDir, 'destinations')
    const metrics = this.metricsOf(record.uuid)
    const ended = runMapping(record, {...this.#options, destinationsDir, metrics}, stop.signal)
      .catch((error: Error) => this.#options.log(`error: mapping ${record.uuid}: ${error.stack}`))
      .finally(() => this.#runs.delete(record.uuid))
    this.#runs.set(record.uuid, {stop, ended})
  }

  async #stop(uuid: string): Promise<void> {
    const run = this.#runs.get(uuid)
    run?.stop.abort()
    await run?.ended
  }

  #later(ms: number, run: () => void): void {
    if (this.#closed) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
  }

  /** Stops all pollers; what they had done is committed. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers) clearTimeout(timer)
    await Promise.all([...this.#runs.keys()].map((uuid) => this.#stop(uuid)))
    await this.#save()
  }

  #save(): Promise<void> {
    const save = () => writeAtomically(this.#file(), `${JSON.stringify(this.list(), null, 2)}\n`)
    this.#saving = this.#saving.then(save, save)
    return this.#saving
  }

  #file = (): string => join(this.#options.dataDir, 'mappings.json')
}
