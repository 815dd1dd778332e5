/**
 * One colour for each creature on every board. An agent that is not listed has one of Grafana's own, chosen by its name,
 * so a new agent needs no change here. These five are listed because Grafana's choice is hard to read for them: fox is
 * red on dark pages, where red means that a person must act, and rabbit, beaver and bear are three reds on light ones.
 */
export const AGENT_COLOURS: Readonly<Record<string, string>> = {
  squirrel: 'dark-yellow',
  rabbit: 'green',
  fox: 'orange',
  beaver: 'blue',
  bear: 'purple',
}

/** Kinds of refusal have darker shades than agents, so that nobody takes one for the other. */
export const REFUSAL_COLOURS: Readonly<Record<string, string>> = {
  parse_error: 'dark-red',
  self_buy: 'dark-purple',
  cannot_afford: 'dark-blue',
  nothing_to_sell: 'dark-green',
  unknown_good: 'dark-orange',
  bad_quantity: 'super-light-blue',
  timeout: '#808080',
}

/** Neither kept nor dropped is bad. Red means that a person must act. */
export const VERDICT_COLOURS = {
  kept: 'blue',
  dropped: '#808080',
}

/** Policies of the lists that ship. One of yours has one of Grafana's colours, chosen by its name. */
export const POLICY_COLOURS: Readonly<Record<string, string>> = {
  'keep-parse-errors': 'dark-red',
  'keep-self-buys': 'dark-purple',
  'keep-failed-calls': 'dark-orange',
  'keep-failed-agents-and-tools': 'super-light-orange',
  'keep-failed-evaluations': 'super-light-red',
  'keep-slow-calls': 'dark-yellow',
  'keep-slow-runs': 'super-light-yellow',
  'keep-token-heavy': 'dark-blue',
  'keep-heavy-calls': 'super-light-blue',
  'sample-routine-10-percent': '#808080',
}

/** The deterministic checks of a turn, in the order in which they can fail. */
export const CHECK_COLOURS: Readonly<Record<string, string>> = {
  readable: 'dark-red',
  allowed: 'dark-purple',
  affordable: 'dark-blue',
  traded: '#808080',
}
