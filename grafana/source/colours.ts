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

/**
 * What is not an agent has none of their hues, so that a colour means one thing on a board: no yellow, green, orange, blue or purple.
 * What belongs together, as a reply that cannot be read and the policy that keeps it, has one colour. Each can be read as a text,
 * on dark and on light pages, and no two of one list look alike.
 */
const RASPBERRY = '#d6336c'
const CYAN = '#12a1b8'
const BROWN = '#84634a'
const TEAL = '#00796b'
const MAGENTA = '#e02fd2'
const MAUVE = '#b384a5'
const SLATE = '#5e668a'
const TERRACOTTA = '#ca8168'
const MINT = '#10a68d'
const GREY = '#808080'

export const REFUSAL_COLOURS: Readonly<Record<string, string>> = {
  parse_error: RASPBERRY,
  self_buy: CYAN,
  cannot_afford: BROWN,
  nothing_to_sell: TEAL,
  unknown_good: MAGENTA,
  bad_quantity: MAUVE,
  timeout: GREY,
}

/** Agents that have no line of their own, together. */
export const OTHERS_COLOUR = GREY

/** Around a node of the agent map: what it is, and the part of it that failed. */
export const KIND_COLOURS = {
  arc__agent: CYAN,
  arc__model: BROWN,
  arc__tool: TEAL,
  arc__failed: 'red',
}

/** Neither kept nor dropped is bad. Red means that a person must act. */
export const VERDICT_COLOURS = {
  kept: CYAN,
  dropped: GREY,
}

/** Policies of the lists that ship. One of yours has one of Grafana's colours, chosen by its name. */
export const POLICY_COLOURS: Readonly<Record<string, string>> = {
  'keep-parse-errors': RASPBERRY,
  'keep-self-buys': CYAN,
  'keep-failed-calls': MAUVE,
  'keep-failed-agents-and-tools': MAGENTA,
  'keep-failed-evaluations': MINT,
  'keep-slow-calls': TEAL,
  'keep-slow-runs': BROWN,
  'keep-token-heavy': SLATE,
  'keep-heavy-calls': TERRACOTTA,
  'sample-routine-10-percent': GREY,
}

/** The deterministic checks of a turn, in the order in which they can fail. */
export const CHECK_COLOURS: Readonly<Record<string, string>> = {
  readable: RASPBERRY,
  allowed: CYAN,
  affordable: BROWN,
  traded: TEAL,
}

export const OFF_COLOURS: Readonly<Record<string, string>> = {
  turns: CYAN,
  'failed turns': RASPBERRY,
  'time of the model': BROWN,
}

/** Of the model that is asked most, as on the agent map. Others have shades of the second one, because their names are not known before. */
export const MODEL_COLOURS = { first: KIND_COLOURS.arc__model, others: SLATE }

/** Of one or two lines that are about no agent. */
export const LINE_COLOURS: Readonly<Record<string, string>> = {
  p95: CYAN,
  p50: SLATE,
  read: CYAN,
  written: RASPBERRY,
  waiting: CYAN,
  collector: CYAN,
}

export const LATE_COLOURS: Readonly<Record<string, string>> = {
  'late, joined their trace': GREY,
  'late, lost': RASPBERRY,
  'traces pushed out': MAUVE,
}
