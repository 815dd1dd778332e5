import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generated, outdated } from './generate.ts'

test('the committed boards and rules are what their source says', () => {
  assert.deepEqual(outdated(), [], 'run make boards and commit the result')
})

test('generating twice gives the same bytes', () => {
  assert.deepEqual([...generated()], [...generated()])
})
