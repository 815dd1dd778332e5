import { onInterrupt } from '../../sim/interrupt.ts'
import { UserError } from '../../workbench/user-error.ts'
import { build, SHIPPED } from '../native.ts'
import { readSettings } from '../settings.ts'

/**
 * Builds every server that is not built yet. `make test` does it first: two test files that need the same one would each
 * compile the whole of it.
 */
const cancel = new AbortController()
onInterrupt(() => cancel.abort())
try {
  await build(readSettings(), Object.keys(SHIPPED), { cancel: cancel.signal, say: console.error })
} catch (error) {
  if (!(error instanceof UserError || cancel.signal.aborted)) throw error
  if (error instanceof UserError) console.error(error.message)
  process.exitCode = cancel.signal.aborted ? 130 : 1
  cancel.abort() // What is built beside it.
}
