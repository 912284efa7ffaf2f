/**
 * The first mention of each name. Kafka puts what it is asked for into a set, too; without, a small request that names one large
 * topic again and again would have an answer of gigabytes.
 */
export function once<Item>(items: readonly Item[], nameOf: (item: Item) => string): Item[] {
  const firsts = new Map<string, Item>()
  for (const item of items) if (!firsts.has(nameOf(item))) firsts.set(nameOf(item), item)
  return [...firsts.values()]
}
