import type { Order } from './world.ts'

/** An order on its way to the market: plain JSON text, with room for W3C trace context beside it. */
export type Message = string
export type Carrier = Readonly<Record<string, string>>

export const seal = (order: Order, carrier: Carrier): Message => JSON.stringify({ carrier, order })

export const open = (message: Message): { carrier: Carrier; order: Order } => JSON.parse(message)
