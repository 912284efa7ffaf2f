import {writeFileSync} from 'node:fs'

/**
 * Makes examples/orders.jsonl: 10,000 orders of a made-up shop, the same every time.
 * Names in several scripts and a few empty notes keep the loop honest about bytes.
 */
const ORDERS = 10_000
const CITIES = [
  'Lisboa',
  'København',
  'Kraków',
  'München',
  'İzmir',
  'Αθήνα',
  'Київ',
  '大阪',
  'Montréal',
  'Bogotá',
  'Nairobi',
  'Oslo',
]
const ITEMS = [
  ['filter-basket', 1290],
  ['grinder-m2', 18900],
  ['kettle-1l', 6450],
  ['mug-blue', 990],
  ['beans-huila-250g', 1180],
  ['beans-yirgacheffe-1kg', 3990],
  ['scale-0.1g', 4500],
  ['cleaning-tablets', 750],
]
const STATES = ['placed', 'placed', 'placed', 'paid', 'paid', 'shipped', 'cancelled']
const NOTES = [
  '',
  '',
  '',
  '',
  'ring twice',
  'gift 🎁',
  'leave at the door — not with the neighbour',
  '"fragile"\\careful',
  'préparer avant midi',
]

let seed = 20261120
/** xorshift32. */
const random = (below) => {
  seed ^= seed << 13
  seed ^= seed >>> 17
  seed ^= seed << 5
  return (seed >>> 0) % below
}

const start = Date.UTC(2026, 10, 1, 6)
let at = start
const lines = Array.from({length: ORDERS}, (_, index) => {
  at += random(150_000)
  const items = Array.from({length: 1 + random(3)}, () => {
    const [sku, cents] = ITEMS[random(ITEMS.length)]
    return {sku, quantity: 1 + random(3), cents}
  })
  const total = items.reduce((sum, {quantity, cents}) => sum + quantity * cents, 0)
  return JSON.stringify({
    id: `o-${String(index + 1).padStart(6, '0')}`,
    customer: `c-${1000 + random(1800)}`,
    city: CITIES[random(CITIES.length)],
    state: STATES[random(STATES.length)],
    items,
    total,
    note: NOTES[random(NOTES.length)],
    at: new Date(at).toISOString(),
  })
})
writeFileSync('examples/orders.jsonl', `${lines.join('\n')}\n`)
