/** How far the partitions of a group are written by this member, and committed, as far as it knows. */
export class GroupOffsets {
  private readonly written = new Map<number, number>()
  private readonly committed = new Map<number, number>()

  /** Everything before these offsets is written. */
  wrote(progress: ReadonlyMap<number, number>): void {
    for (const [partition, offset] of progress) this.written.set(partition, offset)
  }

  /** The coordinator has acknowledged these offsets. */
  commits(offsets: ReadonlyMap<number, number>): void {
    for (const [partition, offset] of offsets) this.committed.set(partition, offset)
  }

  /** What is still to be committed of `partitions`. */
  due(partitions: readonly number[]): Map<number, number> {
    const ahead = partitions.filter((partition) => this.written.get(partition) !== undefined && !this.isCommitted(partition))
    return new Map(ahead.map((partition) => [partition, this.written.get(partition)!]))
  }

  /** Partitions whose last records were written without a commit, whoever reads them now. */
  uncommitted(): number[] {
    return [...this.written.keys()].filter((partition) => !this.isCommitted(partition))
  }

  /**
   * Where to begin a partition that was assigned, of which the group has committed `committed` by now. What this member has written
   * is not written again because a commit was lost; unless somebody has set the group back since.
   */
  begin(partition: number, committed: number | undefined, otherwise: number): number {
    const [known, written] = [this.committed.get(partition), this.written.get(partition)]
    const setBack = known !== undefined && (committed === undefined || committed < known)
    if (committed === undefined) this.committed.delete(partition)
    else this.committed.set(partition, committed)
    if (written !== undefined && !setBack) return Math.max(written, committed ?? 0)
    this.written.delete(partition)
    return committed ?? otherwise
  }

  private isCommitted(partition: number): boolean {
    return (this.committed.get(partition) ?? -1) >= this.written.get(partition)!
  }
}
