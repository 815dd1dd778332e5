import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GEN_AI, OPENINFERENCE, OTHER, WOODLAND } from '../../../vocabulary/attributes.ts'
import { USED } from './used.ts'

/** These are on resources, and every other test would fail without them. */
const ON_RESOURCES: readonly string[] = [
  OTHER.SERVICE_NAME,
  OTHER.SERVICE_VERSION,
  OTHER.SERVICE_INSTANCE,
  OPENINFERENCE.PROJECT,
  WOODLAND.LINKS,
]

test('every attribute that a policy, a panel or a query uses is sent to the redactor', () => {
  for (const names of [GEN_AI, WOODLAND, OPENINFERENCE, OTHER])
    for (const name of Object.values(names))
      assert.ok(name in USED || ON_RESOURCES.includes(name), `${name} is not tested`)
})
