import {Flags} from '@oclif/core'

import {BaseCommand, dataDirFlag, dryRunFlag, durationFlag} from '../../../lib/base-command.js'
import {askFaults, requireRunningStack} from '../../../lib/local/control.js'
import {readFaultRule} from '../../../lib/local/kafka/fault-rule.js'
import {FAULT_ACTIONS, FAULT_MOMENTS, type Fault, type FaultRule} from '../../../lib/local/kafka/faults.js'

const whole = (description: string) => Flags.integer({description, min: 0})

export default class LocalFaultsAdd extends BaseCommand<typeof LocalFaultsAdd> {
  static override description = 'make the brokers of the local stack fail on purpose'

  static override examples = [
    {
      description: 'store the next records, but lose the answer with the connection',
      command: '<%= config.bin %> <%= command.id %> --action close --when after --api Produce',
    },
    {
      description: 'one partition has another leader for the next three requests',
      command:
        '<%= config.bin %> <%= command.id %> --action error --error-code 6 --api Produce --topic orders --partition 0 --times 3',
    },
    {
      description: 'a twentieth of all fetches takes a second longer, always the same ones',
      command: '<%= config.bin %> <%= command.id %> --action delay --delay 1s --api Fetch --probability 0.05 --seed 7 --forever',
    },
  ]

  static override flags = {
    action: Flags.option({
      options: FAULT_ACTIONS,
      required: true,
      description: 'no answer, no connection, a late answer, an error, or a wish to be left alone for a while',
    })(),
    when: Flags.option({
      options: FAULT_MOMENTS,
      default: 'before' as const,
      description: 'before the request is carried out, which is then not done, or after',
    })(),
    api: Flags.string({description: 'API by its name or key, such as Produce or 0 (default: all)'}),
    topic: Flags.string({description: 'only requests that name this topic'}),
    partition: whole('only requests that name this partition'),
    node: whole('only requests to the node with this id'),
    'error-code': Flags.integer({description: 'number that Kafka gives the error, for --action error', min: -1}),
    delay: durationFlag({description: 'how long, for --action delay and throttle'}),
    skip: whole('how many requests pass before the first'),
    times: Flags.integer({description: 'how many requests it happens to', default: 1, min: 1, exclusive: ['forever']}),
    forever: Flags.boolean({description: 'until `local faults clear`'}),
    probability: Flags.string({description: 'of each request that it could happen to, such as 0.1'}),
    seed: whole('what the probability is drawn from, so that it happens again in the same way'),
    ...dataDirFlag,
    ...dryRunFlag,
  }

  async run(): Promise<Fault | FaultRule> {
    const {action, when, api, topic, partition, node, delay, skip, times, forever, probability, seed} = this.flags
    const wanted = {
      ...{action, when, api, topic, partition, node, skip, seed, ms: delay, errorCode: this.flags['error-code']},
      times: forever ? undefined : times,
      probability: probability === undefined ? undefined : Number(probability),
    }
    const rule = readFaultRule(wanted)
    const stack = await requireRunningStack(this.localDataDir())
    if (this.flags['dry-run']) {
      this.note(`would add a fault to the stack with pid ${stack.pid}`)
      return rule
    }
    const fault = await askFaults<Fault>(stack, 'faults-add', rule)
    this.log(`added fault ${fault.id}`)
    return fault
  }
}
