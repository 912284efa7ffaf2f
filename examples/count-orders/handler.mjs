/** Lambda hands over the records of a batch by partition, their keys and values in base64. */
export const handler = async ({records}) => {
  const orders = Object.values(records)
    .flat()
    .map(({value}) => JSON.parse(Buffer.from(value, 'base64').toString()))
  const cents = orders.reduce((sum, {total}) => sum + total, 0)
  console.log(`${orders.length} orders, ${(cents / 100).toFixed(2)} in all`)
}
