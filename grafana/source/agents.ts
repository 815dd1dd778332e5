/**
 * One colour per creature on every board. Red is left out: it means that a person must act.
 * An agent that is not listed (yours) takes the next colour of Grafana's own palette, chosen by its name.
 */
export const AGENT_COLOURS: Readonly<Record<string, string>> = {
  squirrel: 'dark-yellow',
  rabbit: 'green',
  fox: 'orange',
  beaver: 'blue',
  bear: 'purple',
}

/** Kinds of refusal are no agents: darker shades, so that the two are not mistaken for each other. */
export const REFUSAL_COLOURS: Readonly<Record<string, string>> = {
  parse_error: 'dark-red',
  self_buy: 'dark-purple',
  cannot_afford: 'dark-blue',
  nothing_to_sell: 'dark-green',
  unknown_good: 'dark-orange',
  bad_quantity: 'super-light-blue',
  timeout: '#808080',
}
