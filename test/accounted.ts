import assert from 'node:assert/strict'
import { type Outcome, SPAN_STATES } from '../evidence/drills/balance.ts'

/** Each span that a drill sent is in one state, and that state is known. */
export function areAccountedFor(balances: Outcome['balances']): void {
  for (const { backend, sent, states, unsentSpans } of balances) {
    assert.deepEqual({ backend, unknown: states.unknown, unsentSpans }, { backend, unknown: 0, unsentSpans: 0 })
    assert.ok(sent > 200 && states.stored > 0, `${backend}: ${states.stored} of ${sent}`)
    assert.equal(
      SPAN_STATES.reduce((sum, state) => sum + states[state], 0),
      sent,
    )
  }
}
