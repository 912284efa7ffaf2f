import {Flags} from '@oclif/core'

import {parseTags} from '../../lib/aws/new-cluster.js'
import {SkkError} from '../../lib/errors.js'
import type {Outcome} from '../../lib/esm/outcome.js'
import type {Wanted} from '../../lib/esm/plan.js'
import {isoTime, POSITIONS, settingsFlags, settingsOf} from '../../lib/esm-flags.js'
import {EsmPlanCommand, planFlags} from '../../lib/esm-plan-command.js'

export default class EsmAttach extends EsmPlanCommand<typeof EsmAttach> {
  static override description = 'attach a Lambda function to a topic and wait until it is enabled'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --function orders --topic orders --retry',
    {
      description: 'until it was seen consuming, from the newest record on',
      command:
        '<%= config.bin %> <%= command.id %> --function orders --topic orders --starting-position latest --until healthy --retry',
    },
    {
      description: 'one bad record blocks nobody',
      command:
        '<%= config.bin %> <%= command.id %> --function orders --topic orders --max-retries 3 --bisect --on-failure kafka://orders-failed --min-pollers 1',
    },
  ]
  static override flags = {
    function: Flags.string({description: 'name, name:alias or ARN of the function', helpValue: '<name[:alias]>'}),
    topic: Flags.string({description: 'topic to read'}),
    group: Flags.string({description: 'consumer group (default FUNCTION.TOPIC)'}),
    'starting-position': Flags.option({
      options: ['trim-horizon', 'latest', 'at-timestamp'] as const,
      description: 'where to begin when the group has no offsets (default trim-horizon)',
    })(),
    at: Flags.string({description: 'time of at-timestamp', helpValue: '<time>'}),
    ...settingsFlags,
    tag: Flags.string({description: 'tag of the mapping', multiple: true, multipleNonGreedy: true, helpValue: '<key=value>'}),
    disabled: Flags.boolean({description: 'attach it without turning it on'}),
    ...planFlags,
  }

  async run(): Promise<Outcome> {
    const answers = await this.answers({
      ...(!this.flags.function && {function: {name: '--function', message: 'Which function?', example: 'orders'}}),
      ...(!this.flags.topic && {topic: {name: '--topic', message: 'Which topic?', example: 'orders'}}),
    })
    const account = await this.account()
    const wanted = this.wanted(
      this.flags.function ?? answers.function!,
      this.flags.topic ?? answers.topic!,
      await this.clusterArn(account),
    )
    const [outcome] = await this.carryOut(account, [wanted])
    this.report([outcome!])
    if (!this.flags['dry-run']) this.next(`skk esm describe ${outcome!.uuid}`)
    return outcome!
  }

  private wanted(name: string, topic: string, eventSourceArn: string): Wanted {
    const {group, at, disabled, tag = []} = this.flags
    const position = this.flags['starting-position'] ?? (at === undefined ? undefined : 'at-timestamp')
    return {
      function: name,
      eventSourceArn,
      topic,
      ...(group !== undefined && {group}),
      ...(position && {startingPosition: POSITIONS[position]!}),
      ...(at !== undefined && {startingTime: isoTime(at)}),
      settings: {...settingsOf(this.flags), ...(disabled && {enabled: false})},
      tags: notOurs(parseTags(tag.map(asTag))),
    }
  }
}

/** `parseTags` names the flag of `clusters create` in its hint. */
function asTag(text: string): string {
  if (text.indexOf('=') > 0) return text
  throw new SkkError(`"${text}" is not a tag`, {
    code: 'USAGE',
    exit: 'usage',
    hint: 'Write it as `--tag key=value`, once for each tag.',
  })
}

function notOurs(tags: Record<string, string>): Record<string, string> {
  const ours = Object.keys(tags).find((key) => key.startsWith('skk:'))
  if (ours === undefined) return tags
  throw new SkkError(`tag "${ours}" is one of skk's own`, {code: 'USAGE', exit: 'usage', hint: 'Choose another key.'})
}
