import {join} from 'node:path'

import {Args, Flags} from '@oclif/core'

import type {Mapping} from '../../lib/aws/mapping.js'
import {confirmationFlags, dryRunFlag} from '../../lib/base-command.js'
import type {World} from '../../lib/esm/attach.js'
import {refuseOfCloudFormation} from '../../lib/esm/change.js'
import {isOn, labelOf} from '../../lib/esm/plan.js'
import {theOnly} from '../../lib/esm/select.js'
import {pauseOf, whilePaused} from '../../lib/esm/skip.js'
import {EsmCommand, retryFlags, selectionFlags, WAIT_MS} from '../../lib/esm-command.js'
import {withCluster} from '../../lib/kafka/client.js'
import type {Cluster} from '../../lib/kafka/cluster.js'
import {untilEmpty} from '../../lib/kafka/groups/empty.js'
import {writeUndoFile} from '../../lib/kafka/groups/offsets-file.js'
import {commitReset, type Goal, MOVE_COLUMNS, type Move, parseGoal, planReset} from '../../lib/kafka/groups/reset.js'
import type {KafkaTarget} from '../../lib/kafka/target.js'

type Place = {kafka: KafkaTarget; group: string; topic: string; partition: number; goal: Goal}
type Skipped = Omit<Move, 'outOfRange'> & {
  uuid: string
  function: string
  group: string
  result: 'skipped' | 'unchanged' | 'would skip'
  undoFile: string | null
}

export default class EsmSkip extends EsmCommand<typeof EsmSkip> {
  static override description = `let a mapping go on after a record that its function cannot take

The mapping is paused, its consumer group waited for until nobody is in it, the offset committed without joining the group, and the mapping resumed, also when something fails in between. What was committed before is written to a file.

--to takes the offset of the next record that the function gets, or +1 for one further than what is committed`

  static override examples = [
    {
      description: 'the record with offset 41 is the bad one',
      command: '<%= config.bin %> <%= command.id %> --function orders --topic orders --partition 2 --to 42 --retry',
    },
    {
      description: 'what that would skip',
      command: '<%= config.bin %> <%= command.id %> 0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9 --partition 2 --to 42 --dry-run',
    },
  ]

  static override args = {uuid: Args.string({name: 'UUID', description: 'the mapping'})}

  static override flags = {
    ...selectionFlags,
    partition: Flags.integer({description: 'partition of its topic', min: 0}),
    to: Flags.string({description: 'offset of the next record that it gets', helpValue: '<offset>'}),
    'undo-file': Flags.string({
      description: 'file to write the present offset to (default a new one in the data directory)',
      helpValue: '<file>',
    }),
    ...retryFlags,
    ...dryRunFlag,
    ...confirmationFlags,
    confirm: Flags.string({
      description: 'name of the group, on a protected cluster',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<name>',
    }),
    force: Flags.boolean({description: 'also a mapping that CloudFormation made'}),
  }

  async run(): Promise<Skipped> {
    const {uuids, partition, goal} = await this.wanted()
    const account = await this.account()
    return this.withLambda(account, async (world) => {
      const mapping = theOnly(await this.selected(world, account, uuids))
      const {topic} = mapping
      await refuseOfCloudFormation(world, [mapping])
      const place = {kafka: await this.kafkaOf(mapping), group: mapping.group ?? mapping.uuid, topic, partition, goal}
      const move = await withCluster(place.kafka, (cluster) => planOne(cluster, place))
      this.show(move)
      if (move.prior === move.new) {
        this.note(`mapping "${labelOf(mapping)}" is there already, nothing to do`)
        return outcome(mapping, place, move, 'unchanged')
      }
      if (this.flags['dry-run']) return outcome(mapping, place, move, 'would skip')

      await this.confirm(questionOf(mapping, move), {names: [place.group]})
      await this.acting(account)
      const skipped = await this.skip(world, mapping, place, move)
      this.next(`skk esm describe ${mapping.uuid}`)
      return skipped
    })
  }

  private async wanted(): Promise<{uuids: string[]; partition: number; goal: Goal}> {
    const {function: name, topic, partition, to} = this.flags
    const given = to === undefined ? undefined : parseGoal(to)
    const isNamed = this.args.uuid !== undefined || name !== undefined || topic !== undefined
    const answers = await this.answers({
      ...(!isNamed && {uuid: {name: 'UUID', message: 'UUID of the mapping:', example: '0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9'}}),
      ...(partition === undefined && {partition: {name: '--partition', message: 'Which partition?', example: '0'}}),
      ...(to === undefined && {to: {name: '--to', message: 'Offset of the next record it gets:', example: '+1'}}),
    })
    const uuid = this.args.uuid ?? answers.uuid
    return {
      uuids: uuid === undefined ? [] : [uuid],
      partition: partition ?? Number(answers.partition),
      goal: given ?? parseGoal(answers.to!),
    }
  }

  private async skip(world: World, mapping: Mapping, place: Place, agreed: Move): Promise<Skipped> {
    const work = () => this.commit(world, mapping, place, agreed)
    if (!isOn(mapping)) {
      const skipped = await work()
      this.note(`the mapping was off before, and stays so; turn it on with \`skk esm resume ${mapping.uuid}\``)
      return skipped
    }
    const pause = pauseOf(world, mapping, (until) => this.untilTurned(world, mapping, until))
    this.onStop(async () => {
      this.note(`turning mapping "${pause.label}" on again; if it stays off, run \`skk esm resume ${mapping.uuid} --retry\``)
      await pause.resume()
    })
    return whilePaused(pause, work)
  }

  private async untilTurned(world: World, mapping: Mapping, until: 'disabled' | 'enabled'): Promise<void> {
    const {uuid, eventSourceArn} = mapping
    const label = labelOf(mapping)
    const [seen] = await this.waitFor(world, [{uuid, label, eventSourceArn, until}])
    // AWS has taken it: it goes on by itself.
    if (seen?.error && until === 'enabled' && seen.error.code === 'PENDING') this.warn(seen.error.message)
    else if (seen?.error) throw seen.error
    else this.note(`${until === 'enabled' ? 'resumed' : 'paused'} mapping "${label}"`)
  }

  /** The mapping may have committed more until it was off, so that what there is to do is looked at again. */
  private commit(world: World, mapping: Mapping, place: Place, agreed: Move): Promise<Skipped> {
    const {kafka, group} = place
    return withCluster(kafka, async (cluster) => {
      await this.untilEmpty(world, cluster, group)
      const move = await planOne(cluster, {...place, goal: {kind: 'offset', offset: agreed.new!}})
      if (move.prior === move.new || (isForward(agreed) && !isForward(move))) {
        this.note(`mapping "${labelOf(mapping)}" came to ${move.prior} by itself, nothing to skip`)
        return outcome(mapping, place, {...move, new: move.prior, delta: 0, lagAfter: move.lagBefore}, 'unchanged')
      }
      const undo = {group, cluster: kafka.clusterArn ?? kafka.describe, moves: [move]}
      const undoFile = await writeUndoFile(undo, join(this.config.dataDir, 'undo'), this.flags['undo-file'])
      this.note(`what was committed is in "${undoFile}"`)
      await commitReset(cluster, group, [move], kafka)
      return outcome(mapping, place, move, 'skipped', undoFile)
    })
  }

  private async untilEmpty(world: World, cluster: Cluster, group: string): Promise<void> {
    const {clock} = world.conduct
    const progress = this.progress()
    try {
      await untilEmpty(cluster, group, {
        ...clock,
        deadline: clock.now() + (this.flags.timeout ?? WAIT_MS),
        tickMs: world.tickMs,
        onMembers: (count) => progress.update(`waiting until group "${group}" is empty: ${count} in it`),
      })
    } finally {
      progress.stop()
    }
  }

  private show(move: Move): void {
    this.table([move], MOVE_COLUMNS)
    const {outOfRange, partition} = move
    if (outOfRange !== null) this.warn(`partition ${partition} does not reach to ${outOfRange}; ${move.new} is the nearest`)
  }
}

async function planOne(cluster: Cluster, {group, topic, partition, goal}: Place): Promise<Move> {
  const [move] = await planReset(cluster, group, {goal, topics: [topic], partitions: [partition]})
  return move!
}

const isForward = ({lagBefore, lagAfter}: Move): boolean => lagAfter < lagBefore

function questionOf({function: name}: Mapping, move: Move): string {
  const {topic, partition, lagBefore, lagAfter} = move
  const count = Math.abs(lagBefore - lagAfter)
  const records = `${count} ${count === 1 ? 'record' : 'records'} of topic "${topic}", partition ${partition}`
  return isForward(move) ? `Skip ${records}, which "${name}" never gets?` : `Go back ${records}, which "${name}" gets again?`
}

function outcome(
  {uuid, function: name}: Mapping,
  {group}: Place,
  {outOfRange, ...move}: Move,
  result: Skipped['result'],
  undoFile: string | null = null,
): Skipped {
  return {uuid, function: name, group, result, ...move, undoFile}
}
