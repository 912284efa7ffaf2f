/** What a group has committed for one partition. `metadata` is never null: Kafka reads a null one back as "". */
export type CommittedOffset = {
  offset: number
  leaderEpoch: number
  metadata: string /** Epoch milliseconds of the commit. */
  timestamp: number
}

export type PartitionOffset = CommittedOffset & {topic: string; partition: number}

/** The committed offsets of one group. */
export class CommittedOffsets {
  readonly #topics = new Map<string, Map<number, CommittedOffset>>()

  get isEmpty(): boolean {
    return this.#topics.size === 0
  }

  get topics(): string[] {
    return [...this.#topics.keys()]
  }

  partitions(topic: string): number[] {
    return [...(this.#topics.get(topic)?.keys() ?? [])]
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  set({topic, partition, offset, leaderEpoch, metadata, timestamp}: PartitionOffset): void {
    const partitions = this.#topics.get(topic) ?? new Map<number, CommittedOffset>()
    this.#topics.set(topic, partitions.set(partition, {offset, leaderEpoch, metadata, timestamp}))
  }

  delete(topic: string, partition: number): void {
    const partitions = this.#topics.get(topic)
    partitions?.delete(partition)
    if (partitions?.size === 0) this.#topics.delete(topic)
  }

  deleteTopic(topic: string): boolean {
    return this.#topics.delete(topic)
  }

  *entries(): Iterable<PartitionOffset> {
    for (const [topic, partitions] of this.#topics)
      for (const [partition, committed] of partitions) yield {topic, partition, ...committed}
  }
}
