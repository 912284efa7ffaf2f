import {BaseCommand} from '../lib/base-command.js'
import {chosenContext} from '../lib/contexts.js'
import {EXIT} from '../lib/errors.js'
import {type ApiVersion, type Check, type Diagnosis, diagnose, steps} from '../lib/kafka/doctor.js'
import type {KafkaTarget} from '../lib/kafka/target.js'

type Report = {ok: boolean; checks: Check[]; apiVersions: ApiVersion[]}

export default class Doctor extends BaseCommand<typeof Doctor> {
  static override description = `say why a cluster cannot be reached: one cause, one fix

Looks at DNS, TCP, TLS, SASL, API versions and metadata of every broker, each with its time, and stops at the first that fails. --timeout is for one broker in all, 10s if left out`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    {
      description: 'brokers behind a tunnel',
      command: '<%= config.bin %> <%= command.id %> --bootstrap boot.example.com:9098 --via socks5://localhost:1080',
    },
    {
      description: 'only what is wrong',
      command: '<%= config.bin %> <%= command.id %> --query "checks[?!ok].{cause: cause, fix: fix}"',
    },
  ]

  async run(): Promise<Report> {
    const {checks, apiVersions, failure} = await this.diagnosis()
    const report = {ok: failure === undefined, checks, apiVersions}
    this.show(report)
    if (!failure) return report

    if (this.jsonEnabled()) this.logJson(this.toSuccessJson(report))
    throw failure
  }

  /** A stopped stack or a refused look-up of the brokers is a finding too; only a wrong command line is not. */
  private async diagnosis(): Promise<Diagnosis> {
    const {cluster, bootstrap} = this.flags
    const lookUp = steps(cluster ?? bootstrap ?? (await chosenContext(this.flags, this.directories()))?.name ?? '')
    try {
      const {kafka, endpoint} = await lookUp.step('cluster', () => this.cluster())
      const {checks, ...found} = await diagnose(kafka, {endpoint})
      return {...found, checks: [...lookUp.checks, ...checks]}
    } catch (error) {
      const {checks, failure} = lookUp
      if (!failure || failure.exitCode === EXIT.usage) throw error
      return {checks, failure, apiVersions: []}
    }
  }

  private async cluster(): Promise<{kafka: KafkaTarget; endpoint: string | undefined; detail: string}> {
    const {endpointUrl, region} = await this.target()
    const kafka = await this.kafka()
    const isAws = kafka.bootstrap.some((address) => /\.amazonaws\.com(?:\.cn)?:/i.test(address))
    const endpoint = endpointUrl ?? (isAws && region ? `https://kafka.${region}.amazonaws.com` : undefined)
    return {kafka, endpoint, detail: kafka.bootstrap.join(', ')}
  }

  private show({checks, apiVersions}: Report): void {
    this.table(checks, {
      layer: ({layer}) => layer,
      target: ({target}) => target,
      result: ({ok, detail, cause}) => (ok ? `ok: ${detail}` : `failed: ${cause}`),
      ms: ({ms}) => ms,
    })
    if (apiVersions.length > 0 && !this.flags.plain) this.log()
    this.table(apiVersions, {
      api: ({api}) => api,
      broker: ({broker}) => broker?.join('-') ?? 'none',
      ours: ({ours}) => ours.join('-'),
      result: ({status}) => status,
      target: ({target}) => target,
    })
    // The first failure ends the command, with its fix.
    const further = checks.filter(({ok}) => !ok).slice(1)
    for (const {layer, target, fix} of further) this.note(`${target}, ${layer}: ${fix}`)
  }
}
