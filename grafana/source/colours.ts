/** Kept and dropped are no verdict on anyone: red stays for what a person must act on. */
export const VERDICT_COLOURS = {
  kept: 'blue',
  dropped: '#808080',
}

/** Policies of the lists that ship. One of yours takes the next colour of Grafana's palette, chosen by its name. */
export const POLICY_COLOURS: Readonly<Record<string, string>> = {
  'keep-parse-errors': 'dark-red',
  'keep-self-buys': 'dark-purple',
  'keep-failed-calls': 'dark-orange',
  'keep-slow-calls': 'dark-yellow',
  'keep-token-heavy': 'dark-blue',
  'sample-routine-10-percent': '#808080',
}

/** Servers, each as its exporter; what happens inside the collector has its colour. */
export const SERVER_COLOURS: Readonly<Record<string, string>> = {
  collector: 'blue',
  waiting: 'blue',
  Tempo: 'orange',
}

/** Exporters of the Collector, as in its configuration. */
export const EXPORTER_COLOURS: Readonly<Record<string, string>> = {
  'otlp_http/tempo': 'orange',
  'otlp_http/phoenix': 'purple',
}

/** The deterministic checks of a turn, in the order in which they can fail. */
export const CHECK_COLOURS: Readonly<Record<string, string>> = {
  readable: 'dark-red',
  allowed: 'dark-purple',
  affordable: 'dark-blue',
  traded: '#808080',
}
